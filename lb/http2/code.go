package http2

import "fmt"

// ErrorCode tells the peer why a stream or a connection ends (RFC 9113, 7).
type ErrorCode uint32

// The error codes.
const (
	NoError            ErrorCode = 0x0
	ProtocolError      ErrorCode = 0x1
	InternalError      ErrorCode = 0x2
	FlowControlError   ErrorCode = 0x3
	SettingsTimeout    ErrorCode = 0x4
	StreamClosed       ErrorCode = 0x5
	FrameSizeError     ErrorCode = 0x6
	RefusedStream      ErrorCode = 0x7
	Cancel             ErrorCode = 0x8
	CompressionError   ErrorCode = 0x9
	ConnectError       ErrorCode = 0xa
	EnhanceYourCalm    ErrorCode = 0xb
	InadequateSecurity ErrorCode = 0xc
	HTTP11Required     ErrorCode = 0xd
)

// String returns the code's name in the RFC.
func (c ErrorCode) String() string {
	names := [...]string{
		"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
		"FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM",
		"INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
	}
	if int(c) < len(names) {
		return names[c]
	}
	return fmt.Sprintf("error code %#x", uint32(c))
}

// ConnError ends the whole connection with GOAWAY (RFC 9113, 5.4.1).
type ConnError struct {
	Code   ErrorCode
	Reason string // for the log
}

// Error tells the reason and the code.
func (e *ConnError) Error() string { return e.Reason + " (" + e.Code.String() + ")" }

// StreamError ends one stream with RST_STREAM (RFC 9113, 5.4.2).
type StreamError struct {
	Stream uint32
	Code   ErrorCode
	Reason string // for the log
}

// Error tells the reason and the code.
func (e *StreamError) Error() string { return e.Reason + " (" + e.Code.String() + ")" }

// connError makes the error that ends a connection.
func connError(code ErrorCode, reason string) error { return &ConnError{code, reason} }

// streamError makes the error that ends a stream.
func streamError(stream uint32, code ErrorCode, reason string) error {
	return &StreamError{stream, code, reason}
}
