package main

import (
	"context"
	"io"
	"os"
	"time"
)

// follow copies what is appended to a file from now on, as tail -F does, until the context ends. The file may not be
// there yet, and may be replaced, as when logs are rotated.
func follow(ctx context.Context, path string, to io.Writer) {
	var file *os.File
	if f, err := os.Open(path); err == nil {
		if _, err := f.Seek(0, io.SeekEnd); err == nil {
			file = f
		}
	}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		file = current(file, path)
		if file != nil {
			io.Copy(to, file)
		}
	}
}

// current returns the file to read from: the open one, or the one that has taken its place, or nil.
func current(open *os.File, path string) *os.File {
	now, err := os.Stat(path)
	if err != nil {
		return open
	}
	if open != nil {
		if was, err := open.Stat(); err == nil && os.SameFile(was, now) {
			return open
		}
	}
	file, err := os.Open(path)
	if err != nil {
		return open
	}
	if open != nil {
		open.Close()
	}
	return file
}
