package node

import (
	"errors"
	"fmt"

	"github.com/weir-lb/weir/lb/errorlog"
	"github.com/weir-lb/weir/node/control"
)

// openControl makes the control socket, when the process has become its user:
// that user and root may use it.
func (n *Node) openControl() error {
	plane, ok := n.balancer.(*dataPlane)
	if !ok || n.ground.dir == "" {
		return nil
	}
	log := n.journal.logger()
	socket, err := control.Open(control.Options{
		Path: control.SocketPath(n.ground.dir),
		Node: &operator{cluster: n.cluster, balancer: plane.Balancer, version: n.opts.Version},
		Log:  func(text string) { log.Logf(errorlog.Warn, 0, "%s", text) },
	})
	if err != nil {
		return err
	}
	n.onStop("closing the control socket", socket.Close)
	n.control = socket
	return nil
}

// serveControl begins to answer at the control socket, if there is one.
func (n *Node) serveControl() {
	if n.control != nil {
		n.control.Serve()
	}
}

// ControlPath returns where the control socket is of a weir with a
// configuration.
func ControlPath(o Options) (string, error) {
	if err := o.validate(); err != nil {
		return "", err
	}
	cfg, err := o.load()
	if err != nil {
		return "", fmt.Errorf("%w (name the control socket by --socket to go without the configuration)", err)
	}
	if cfg.Data == "" {
		return "", errors.New(`the configuration names no data folder, so its weir has no control socket: add "data DIR;"`)
	}
	return control.SocketPath(cfg.Data), nil
}
