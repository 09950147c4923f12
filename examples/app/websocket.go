package app

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"
)

const (
	webSocketGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" // RFC 6455 section 1.3
	maxMessage    = 1 << 20                                // bytes
)

// Frame kinds (RFC 6455 section 5.2) and the reasons for closing used here (section 7.4.1).
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xa

	closeProtocolError = 1002
	closeInvalidText   = 1007
	closeTooBig        = 1009
)

// closeError tells why the connection must be closed.
type closeError uint16

func (e closeError) Error() string { return fmt.Sprintf("websocket closed with code %d", uint16(e)) }

// webSocket answers the upgrade request and gives text and binary messages back until either side closes.
func (a *App) webSocket(w http.ResponseWriter, r *http.Request) {
	key := r.Header.Get("Sec-WebSocket-Key")
	if r.Method != http.MethodGet || !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") || key == "" {
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if r.Header.Get("Sec-WebSocket-Version") != "13" {
		w.Header().Set("Connection", "close")
		w.Header().Set("Sec-WebSocket-Version", "13")
		w.WriteHeader(http.StatusUpgradeRequired)
		return
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		sendText(w, http.StatusInternalServerError, err.Error()+"\n")
		return
	}
	defer conn.Close()
	sum := sha1.Sum([]byte(key + webSocketGUID))
	fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: %s\r\nX-Server: %s\r\n\r\n", base64.StdEncoding.EncodeToString(sum[:]), a.name)
	// The first frame travels with the 101 when there is a greeting, so that both arrive in one segment.
	if r.URL.Query().Get("greet") != "" {
		writeFrame(rw, opText, []byte("connected to "+a.name))
	}
	echoMessages(rw)
}

// echoMessages runs until the client closes or breaks a rule.
func echoMessages(rw *bufio.ReadWriter) {
	for {
		if rw.Reader.Buffered() == 0 && rw.Flush() != nil {
			return
		}
		kind, message, err := readMessage(rw)
		var bad closeError
		switch {
		case errors.As(err, &bad):
			writeFrame(rw, opClose, binary.BigEndian.AppendUint16(nil, uint16(bad)))
			rw.Flush()
			return
		case err != nil:
			return
		case kind == opClose:
			writeFrame(rw, opClose, message)
			rw.Flush()
			return
		}
		writeFrame(rw, kind, message)
	}
}

// readMessage returns the next text, binary or close message, answering pings on the way.
func readMessage(rw *bufio.ReadWriter) (kind byte, message []byte, err error) {
	for {
		op, fin, payload, err := readFrame(rw.Reader)
		if err != nil {
			return 0, nil, err
		}
		switch op {
		case opClose:
			return op, payload, nil
		case opPing:
			writeFrame(rw, opPong, payload)
			if err := rw.Flush(); err != nil {
				return 0, nil, err
			}
			continue
		case opPong:
			continue
		case opText, opBinary, opContinuation:
		default:
			return 0, nil, closeError(closeProtocolError)
		}
		if (op == opContinuation) != (kind != 0) {
			return 0, nil, closeError(closeProtocolError)
		}
		if op != opContinuation {
			kind = op
		}
		message = append(message, payload...)
		if len(message) > maxMessage {
			return 0, nil, closeError(closeTooBig)
		}
		if !fin {
			continue
		}
		if kind == opText && !utf8.Valid(message) {
			return 0, nil, closeError(closeInvalidText)
		}
		return kind, message, nil
	}
}

// readFrame reads one client frame and takes its mask off.
func readFrame(r io.Reader) (op byte, fin bool, payload []byte, err error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:2]); err != nil {
		return 0, false, nil, err
	}
	op, fin = head[0]&0x0f, head[0]&0x80 != 0
	size := uint64(head[1] & 0x7f)
	if head[0]&0x70 != 0 || head[1]&0x80 == 0 || op >= opClose && (size > 125 || !fin) {
		return 0, false, nil, closeError(closeProtocolError)
	}
	switch size {
	case 126:
		if _, err := io.ReadFull(r, head[:2]); err != nil {
			return 0, false, nil, err
		}
		size = uint64(binary.BigEndian.Uint16(head[:2]))
	case 127:
		if _, err := io.ReadFull(r, head[:8]); err != nil {
			return 0, false, nil, err
		}
		size = binary.BigEndian.Uint64(head[:8])
	}
	if size > maxMessage {
		return 0, false, nil, closeError(closeTooBig)
	}
	var mask [4]byte
	if _, err := io.ReadFull(r, mask[:]); err != nil {
		return 0, false, nil, err
	}
	payload = make([]byte, size)
	if _, err := io.ReadFull(r, payload); err != nil {
		return 0, false, nil, err
	}
	for i := range payload {
		payload[i] ^= mask[i&3]
	}
	return op, fin, payload, nil
}

// writeFrame writes one unmasked, final frame, as servers send them. A failed write shows at the next Flush.
func writeFrame(w io.Writer, op byte, payload []byte) {
	head := []byte{0x80 | op}
	switch n := len(payload); {
	case n < 126:
		head = append(head, byte(n))
	case n < 1<<16:
		head = binary.BigEndian.AppendUint16(append(head, 126), uint16(n))
	default:
		head = binary.BigEndian.AppendUint64(append(head, 127), uint64(n))
	}
	w.Write(head)
	w.Write(payload)
}
