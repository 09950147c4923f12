package health

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/weir-lb/weir/lb/request"
)

// This file is the gRPC health checking protocol: a call of
// grpc.health.v1.Health/Check, whose messages are so small that they are
// written and read here by hand.

// GRPCPath is the method that is called.
const GRPCPath = "/grpc.health.v1.Health/Check"

// The fields of its messages, as protocol buffers number them, shifted by the
// three bits of the wire type: 2 is a text, 0 a number.
const (
	serviceField = 1<<3 | 2 // HealthCheckRequest.service
	statusField  = 1 << 3   // HealthCheckResponse.status
	serving      = 1        // HealthCheckResponse.SERVING
)

// GRPCBody is the message that asks for a service; empty: the server as a
// whole.
func GRPCBody(service string) []byte {
	var message []byte
	if service != "" {
		message = append(message, serviceField)
		message = binary.AppendUvarint(message, uint64(len(service)))
		message = append(message, service...)
	}
	body := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))
	return append(body, message...)
}

// GRPCAnswer expects a service to be serving or, with a status other than 0,
// a call to end with that gRPC status.
type GRPCAnswer struct{ Status int }

// WantsBody implements Answer.
func (GRPCAnswer) WantsBody() bool { return true }

// Test implements Answer.
func (a GRPCAnswer) Test(r *request.Request, body []byte) (why Reason, detail string) {
	if s := r.Attempts[0].Status; s != 200 {
		return ReasonStatus, strconv.Itoa(s)
	}
	value, ok := r.Trailers.Find([]byte("grpc-status"))
	if !ok { // a call that fails at once has one head only
		value, ok = r.Upstream.Find([]byte("grpc-status"))
	}
	status, err := strconv.Atoi(string(value))
	switch {
	case !ok || err != nil:
		return ReasonMalformed, "upstream sent no grpc-status"
	case status != a.Status:
		return ReasonStatus, "grpc-status " + strconv.Itoa(status)
	case status != 0:
		return ReasonNone, ""
	}
	state, err := grpcState(body)
	switch {
	case err != nil:
		return ReasonMalformed, err.Error()
	case state != serving:
		return ReasonService, servingWord(state)
	}
	return ReasonNone, ""
}

// servingWord names a state that is not SERVING.
func servingWord(state uint64) string {
	names := [...]string{"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"}
	if state < uint64(len(names)) {
		return names[state]
	}
	return fmt.Sprintf("serving status %d", state)
}

var errMessage = errors.New("upstream sent an invalid health message")

// grpcState reads the state out of a reply's only message.
func grpcState(body []byte) (state uint64, err error) {
	if len(body) < 5 || body[0] != 0 || uint64(binary.BigEndian.Uint32(body[1:5])) != uint64(len(body)-5) {
		return 0, errMessage // compressed, cut off, or more than one
	}
	for m := body[5:]; len(m) > 0; {
		tag, n := binary.Uvarint(m)
		if n <= 0 {
			return 0, errMessage
		}
		m = m[n:]
		value, n := binary.Uvarint(m)
		if n <= 0 {
			return 0, errMessage
		}
		m = m[n:]
		switch {
		case tag == statusField:
			state = value
		case tag&7 == 0: // a number of a later version
		case tag&7 == 2 && value <= uint64(len(m)):
			m = m[value:]
		default:
			return 0, errMessage
		}
	}
	return state, nil
}
