package wire

import (
	"io"
	"os"
)

// SendFile moves n bytes of a file to the peer without copying them through
// the process; moved is how many went.
func (s *Socket) SendFile(f *os.File, offset, n int64) (moved int64, err error) {
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return 0, err
	}
	const piece = 1 << 20 // between two looks at the clock
	for moved < n {
		if err := s.armWrite(); err != nil {
			return moved, err
		}
		m, err := io.Copy(s.conn, io.LimitReader(f, min(n-moved, piece)))
		moved += m
		if err != nil {
			return moved, timedOut(err)
		}
		if m == 0 {
			return moved, io.ErrUnexpectedEOF
		}
	}
	return moved, nil
}
