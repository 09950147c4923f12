package config

import (
	"fmt"
	"strconv"
)

// Pos is the place of a directive in the configuration. The zero Pos means that
// a value was not written by the operator but is a default.
type Pos struct {
	File string // name of the file as it was opened
	Line int    // line of the directive's final ";" or "{", from 1; 0 on the command line
}

// String gives "FILE:LINE", the form in which nginx names places, or
// "command line".
func (p Pos) String() string {
	if p.Line == 0 {
		return p.File
	}
	return p.File + ":" + strconv.Itoa(p.Line)
}

// IsZero reports whether p names no place.
func (p Pos) IsZero() bool { return p.File == "" && p.Line == 0 }

// Errorf makes an Error at p.
func (p Pos) Errorf(format string, args ...any) *Error {
	return &Error{Msg: fmt.Sprintf(format, args...), File: p.File, Line: p.Line}
}

// Error is a reason for which a configuration cannot be used, in nginx's words.
type Error struct {
	Msg  string // without place and without severity
	File string // empty if the error belongs to no place
	Line int    // 0 if the error belongs to a file as a whole, or to the command line
	Err  error  // what the system said when a file could not be read; else nil
}

// Unwrap gives the error of the system, if there is one behind e.
func (e *Error) Unwrap() error { return e.Err }

// Error gives the text nginx would log after its severity.
func (e *Error) Error() string {
	if e.File == "" {
		return e.Msg
	}
	return e.Msg + " in " + Pos{e.File, e.Line}.String()
}

// Warning is something the operator should look at; it stops nothing.
type Warning struct {
	Pos  Pos
	Msg  string // in nginx's words where nginx has any
	Hint string // what to do about it; may be empty
}

// String gives the warning as one line: the message with its place, then the hint.
func (w Warning) String() string {
	s := w.Msg
	if !w.Pos.IsZero() {
		s += " in " + w.Pos.String()
	}
	if w.Hint != "" {
		s += " (" + w.Hint + ")"
	}
	return s
}

// Note tells of a directive that was read and has no effect, or another one
// than in nginx.
type Note struct {
	Pos       Pos
	Directive string // name, with the parameter if only that is meant: "listen ... http2"
	State     State  // Coming or Meaningless; Supported if it only differs; Supported if it only differs
	Msg       string // why, in one sentence without place
}

// String gives the note as one line ending in "in FILE:LINE".
func (n Note) String() string { return n.Msg + " in " + n.Pos.String() }

// State says what weir does with a directive.
type State uint8

// The four states of a directive.
const (
	Supported   State = iota // in force
	Meaningless              // accepted; weir has nothing it could control
	Coming                   // accepted; not in force in this version, with a warning
	Refused                  // an error: ignoring it would not be safe
)

// String gives the word used in the documentation.
func (s State) String() string {
	return [...]string{"supported", "meaningless here", "coming", "refused"}[s]
}
