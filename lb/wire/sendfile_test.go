package wire_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// TestSendFile sends a head and a file that is larger than the sockets hold,
// inside and outside of a callback.
func TestSendFile(t *testing.T) {
	t.Parallel()
	const size = 8 << 20
	content := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	for name, inside := range map[string]bool{"inside": true, "outside": false} {
		t.Run(name, func(t *testing.T) {
			s, far := pair(t)
			if _, err := far.Write([]byte("go")); err != nil {
				t.Fatal(err)
			}
			type outcome struct {
				sent  int
				moved int64
				err   error
			}
			ended := make(chan outcome, 2)
			send := func(fd uintptr) {
				var o outcome
				o.sent, o.moved, o.err = s.SendFile(fd, []byte("head "), f, 3, size-3)
				ended <- o
				o.sent, o.moved, o.err = s.SendFile(fd, nil, f, size-10, 11) // more than there is
				ended <- o
			}
			go func() {
				if !inside {
					send(0)
					return
				}
				_ = s.Serve(func(fd uintptr) bool { // send has told what failed
					send(fd)
					return true
				})
			}()
			got := make([]byte, 5+size-3+10)
			if _, err := io.ReadFull(far, got); err != nil {
				t.Fatal(err)
			}
			want := append(append([]byte("head "), content[3:]...), content[size-10:]...)
			if !bytes.Equal(got, want) {
				t.Error("other bytes arrived")
			}
			if o := <-ended; o.sent != 5 || o.moved != size-3 || o.err != nil {
				t.Errorf("%+v", o)
			}
			if o := <-ended; o.moved != 10 || !errors.Is(o.err, io.ErrUnexpectedEOF) {
				t.Errorf("more than there is: %+v", o)
			}
		})
	}
}
