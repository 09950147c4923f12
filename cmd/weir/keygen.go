package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/weir-lb/weir/config/durable"
	"github.com/weir-lb/weir/config/errno"
	"github.com/weir-lb/weir/lb/upstream"
	"github.com/weir-lb/weir/node/link"
)

// keygen is `weir keygen [KIND] FILE`: it makes a new secret, that of a cluster
// unless a kind is named, and keeps it in a new file that only its owner can read.
func keygen(args []string) error {
	switch {
	case len(args) == 1 && args[0] == "sticky":
		return errors.New("usage: weir keygen sticky FILE")
	case len(args) == 1:
		return writeSecret(args[0], link.NewSecret().Format())
	case len(args) == 2 && args[0] == "sticky":
		var secret [upstream.KeySize]byte
		_, _ = rand.Read(secret[:]) // it ends the process rather than fail
		return writeSecret(args[1], upstream.FormatKey(&secret))
	case len(args) == 2:
		return fmt.Errorf("there is no key of kind %q: weir keygen FILE for the secret of a cluster, weir keygen sticky FILE for sticky cookies", args[0])
	}
	return errors.New("usage: weir keygen FILE, or weir keygen sticky FILE")
}

// writeSecret writes a file that must not exist yet, lest a key that is in use
// be lost.
func writeSecret(file string, text []byte) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("open() %q failed (%w)", file, errno.Of(err))
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close(), durable.SyncFolder(filepath.Dir(file)))
}
