package node

// Verb is what a running node can be told to do.
type Verb int

// The verbs of an Order.
const (
	Stop    Verb = iota // end at once
	Quit                // end when the last request is done
	Reload              // take the configuration as it is now
	Reopen              // open the log files anew
	Upgrade             // hand over to a new program
	Winch               // stop accepting, stay
)

// Order tells a running node to do something.
type Order struct {
	Verb  Verb
	Cause string // for the log: "signal 1 (SIGHUP) received"
}

// purpose words what an order is about to do, as nginx does.
func (v Verb) purpose() string {
	switch v {
	case Stop:
		return "exiting"
	case Quit:
		return "shutting down"
	case Reload:
		return "reconfiguring"
	case Reopen:
		return "reopening logs"
	case Upgrade:
		return "changing binary"
	}
	return "gracefully shutting down workers"
}
