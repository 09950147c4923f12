package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"

	"github.com/weir-lb/weir/config/errno"
	"github.com/weir-lb/weir/lb/upstream"
)

// keygen is `weir keygen KIND FILE`: it makes a new secret and keeps it in a new
// file that only its owner can read.
func keygen(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: weir keygen sticky FILE")
	}
	kind, file := args[0], args[1]
	if kind != "sticky" {
		return fmt.Errorf("there is no key of kind %q: weir keygen sticky FILE", kind)
	}
	var secret [upstream.KeySize]byte
	_, _ = rand.Read(secret[:]) // it ends the process rather than fail
	return writeSecret(file, upstream.FormatKey(&secret))
}

// writeSecret writes a file that must not exist yet, lest a key that is in use
// be lost.
func writeSecret(file string, text []byte) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("open() %q failed (%w)", file, errno.Of(err))
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}
