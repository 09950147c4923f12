package store

import (
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// appendDir writes the directory of a key's file: levels are taken from the
// end of its name, the first level last.
func (z *Zone) appendDir(dst []byte, name string) []byte {
	dst = append(dst, z.path...)
	end := len(name)
	for _, n := range z.levels {
		dst = append(append(dst, '/'), name[end-n:end]...)
		end -= n
	}
	return dst
}

// file is the path of a key's file.
func (z *Zone) file(key Key) string {
	name := key.String()
	return string(append(append(z.appendDir(make([]byte, 0, len(z.path)+48), name), '/'), name...))
}

// makeDirs makes the directories for a key's file, below the zone's own:
// where that is missing, its disk is.
func (z *Zone) makeDirs(key Key) error {
	name := key.String()
	for i := range z.levels {
		part := Zone{path: z.path, levels: z.levels[:i+1]}
		err := z.sys.Mkdir(string(part.appendDir(nil, name)))
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// inDirs does what may need the directories of a key, and makes them when it
// does.
func (z *Zone) inDirs(key Key, do func() error) error {
	err := do()
	if !errors.Is(err, fs.ErrNotExist) || len(z.levels) == 0 {
		return err
	}
	if err := z.makeDirs(key); err != nil {
		return err
	}
	return do()
}

// proofOf tells one state of a file from others: which file, how long, and
// when it was written last. It is never 0.
func proofOf(info fs.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return proofOfStat(st)
	}
	return spread(uint64(info.Size()), uint64(info.ModTime().UnixNano())) | 1
}

// proofOfStat is proofOf without allocating.
func proofOfStat(st *syscall.Stat_t) uint64 {
	x := spread(uint64(st.Size), st.Ino^st.Dev<<48)
	return spread(x, uint64(st.Mtim.Nano())) | 1
}

// firstRead is as much as is read at once of a file: mostly all of the header.
const firstRead = 4096

// readHeader reads and checks what stands before the body. What it returns is
// the caller's.
func readHeader(f *os.File, size int64) (header, error) {
	buf := make([]byte, min(firstRead, size))
	if _, err := f.ReadAt(buf, 0); err != nil && err != io.EOF {
		return header{}, err
	}
	p, err := parsePrologue(buf)
	if err != nil {
		return header{}, err
	}
	if int64(p.bodyOffset) > size {
		return header{}, errShort
	}
	if have := len(buf); p.bodyOffset > have {
		buf = append(make([]byte, 0, p.bodyOffset), buf...)[:p.bodyOffset]
		if _, err := f.ReadAt(buf[have:], int64(have)); err != nil && err != io.EOF {
			return header{}, err
		}
	}
	h, err := parseHeader(buf)
	if err != nil {
		return h, err
	}
	if h.bodyOffset+h.bodyLen != size {
		return h, errShort
	}
	h.text = append([]byte(nil), h.text...)
	h.meta.own() // without the slot that does not count, and the slack
	return h, nil
}

// checkBody compares the body with its checksum, with a buffer to read into.
func checkBody(f *os.File, h *header, buf []byte) error {
	sum := uint32(0)
	for at, left := h.bodyOffset, h.bodyLen; left > 0; {
		n, err := f.ReadAt(buf[:min(left, int64(len(buf)))], at)
		if n == 0 {
			if err == io.EOF {
				return errShort
			}
			return err
		}
		sum = crc32.Update(sum, castagnoli(), buf[:n])
		at, left = at+int64(n), left-int64(n)
	}
	if sum != h.bodySum {
		return errBody
	}
	return nil
}

// isDamage tells errors that mean that a file of ours is of no use from those
// of the disk, which may pass.
func isDamage(err error) bool {
	return errors.Is(err, errBroken) || errors.Is(err, errShort) || errors.Is(err, errBody) || errors.Is(err, errVersion)
}

// isOurs tells whether a file is there and begins as ours do.
func (z *Zone) isOurs(path string) (bool, error) {
	f, err := z.sys.Open(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return false, err
	}
	defer func() { _ = f.Close() }() // it was only read
	var first [len(magic)]byte
	n, err := f.ReadAt(first[:], 0)
	switch {
	case errors.Is(err, syscall.EISDIR):
		return false, nil
	case err != nil && err != io.EOF:
		return false, err
	}
	return looksOurs(first[:n]), nil
}
