package control

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Header fields of the protocol.
const (
	headerIndex   = "X-Weir-Index"         // where in the log a write was decided
	headerApplied = "X-Weir-Applied-Index" // how far the node that answers has come
	headerRequest = "X-Request-Id"         // of a write; see Write.Request
)

// decode reads one JSON value in which every field is known.
func decode(from io.Reader, into any) error {
	d := json.NewDecoder(from)
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil {
		if _, more := d.Token(); more == io.EOF {
			return nil
		} else if err = more; more == nil {
			err = errors.New("something follows the value")
		}
	}
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return err
	}
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.EOF):
		err = errors.New("there is none")
	case errors.As(err, &wrong) && wrong.Field != "":
		err = fmt.Errorf("%q may not be a %s", wrong.Field[strings.LastIndexByte(wrong.Field, '.')+1:], wrong.Value)
	}
	return &Failure{Code: BadRequest, Text: fmt.Sprintf("JSON in the body: %v", err)}
}

// writeJSON sends an answer. A client that is gone needs none.
func writeJSON(w http.ResponseWriter, status int, answer any) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(answer); err != nil {
		status = http.StatusInternalServerError
		body.Reset()
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes())
}

// arguments reads the query, in which only the given names may stand.
func arguments(r *http.Request, names ...string) (url.Values, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, &Failure{Code: BadRequest, Text: fmt.Sprintf("arguments: %v", err)}
	}
	left := len(values)
	for _, name := range names {
		if list, ok := values[name]; ok {
			if left--; len(list) > 1 {
				return nil, &Failure{Code: BadRequest, Text: fmt.Sprintf("argument %q is given twice", name)}
			}
		}
	}
	if left > 0 {
		return nil, &Failure{Code: BadRequest, Text: fmt.Sprintf("unknown argument in %q", r.URL.RawQuery)}
	}
	return values, nil
}

// maxPatience bounds wait=.
const maxPatience = time.Minute

// write reads how a change is asked for: the argument wait, as a time, 0 for not
// at all; the field X-Request-Id; and who asks.
func write(r *http.Request) (Write, error) {
	w := Write{Request: r.Header.Get(headerRequest), Patience: -1}
	w.Actor, _ = r.Context().Value(userKey{}).(string)
	values, err := arguments(r, "wait")
	if err != nil {
		return w, err
	}
	if values.Has("wait") {
		w.Patience, err = time.ParseDuration(values.Get("wait"))
		if err != nil || w.Patience < 0 || w.Patience > maxPatience {
			return w, &Failure{Code: BadRequest, Text: fmt.Sprintf("wait=%q is no time from 0 to %s", values.Get("wait"), maxPatience)}
		}
	}
	switch {
	case w.Request == "":
		w.Request = NewRequest()
	case !isRequest(w.Request):
		return w, &Failure{Code: BadRequest, Text: headerRequest + " is not 32 hexadecimal digits"}
	}
	return w, nil
}

// NewRequest returns a name for a write that nobody has used.
func NewRequest() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // it ends the process rather than fail
	return hex.EncodeToString(id[:])
}

// isRequest tells whether text can name a write.
func isRequest(text string) bool {
	id, err := hex.DecodeString(text)
	return err == nil && len(id) == 16 && hex.EncodeToString(id) == text
}
