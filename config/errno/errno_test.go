package errno

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"testing"
)

func TestText(t *testing.T) {
	t.Parallel()
	_, missing := os.Open(t.TempDir() + "/missing")
	for _, tt := range []struct {
		err        error
		text, bare string
	}{
		{missing, "2: No such file or directory", "No such file or directory"},
		{fmt.Errorf("dial: %w", os.NewSyscallError("connect", syscall.ECONNREFUSED)), "111: Connection refused", "Connection refused"},
		{Error(syscall.EPIPE), "32: Broken pipe", "Broken pipe"},
		{syscall.Errno(4000), "4000: Errno 4000", "Errno 4000"},
		{errors.New("unexpected EOF"), "unexpected EOF", "unexpected EOF"},
	} {
		if got := Text(tt.err); got != tt.text {
			t.Errorf("%v: %q, not %q", tt.err, got, tt.text)
		}
		if got := Bare(tt.err); got != tt.bare {
			t.Errorf("%v: %q, not %q", tt.err, got, tt.bare)
		}
	}
}

func TestOfKeepsTheCause(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("open() failed (%w)", Of(&fs.PathError{Op: "open", Path: "f", Err: syscall.ENOENT}))
	if !errors.Is(err, fs.ErrNotExist) || !errors.Is(err, syscall.ENOENT) {
		t.Error("the cause is lost:", err)
	}
}
