package cert

import (
	"crypto/tls"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"
)

// Deferred loads certificates whose file names are known at the handshake only. A few are kept, each as long as its files stay as
// they are, so that a renewed certificate is used without a reload. It is safe for use by many goroutines.
type Deferred struct {
	passwords [][]byte

	mu     sync.Mutex
	loaded map[Pair]*loaded
}

// loaded is a certificate with what its files were like.
type loaded struct {
	certificate *tls.Certificate
	files       [2]stamp
}

// stamp tells whether a file has changed; the zero stamp stands for inline text, which cannot.
type stamp struct {
	modified time.Time
	size     int64
}

// maxLoaded bounds how many certificates are kept, since clients may choose their names.
const maxLoaded = 256

// NewDeferred returns a Deferred with nothing loaded. The passwords are those of a file, which may be "".
func NewDeferred(files *Files, passwordFile string) (*Deferred, error) {
	if files == nil {
		files = &Files{}
	}
	passwords, err := files.readPasswords(passwordFile)
	if err != nil {
		return nil, err
	}
	return &Deferred{passwords: passwords, loaded: map[Pair]*loaded{}}, nil
}

// Find returns the certificate for a handshake: of several pairs the one that suits the client best.
func (d *Deferred) Find(hello *tls.ClientHelloInfo, pairs []Pair) (*tls.Certificate, error) {
	list := make([]*tls.Certificate, 0, len(pairs))
	for _, p := range pairs {
		c, err := d.Load(p)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	sortBySigning(list)
	return choose(list, hello), nil
}

// Load returns one certificate, from memory where its files are as they were.
func (d *Deferred) Load(p Pair) (*tls.Certificate, error) {
	files, err := stamps(p)
	if err == nil {
		d.mu.Lock()
		known := d.loaded[p]
		d.mu.Unlock()
		if known != nil && known.files == files {
			return known.certificate, nil
		}
	} // else loading says what is wrong
	c, err := Load(p, d.passwords)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, known := d.loaded[p]; !known && len(d.loaded) >= maxLoaded {
		for victim := range d.loaded { // any will do: it costs one more reading
			delete(d.loaded, victim)
			break
		}
	}
	// The stamps are from before the reading: if a file changed in between, it is read once more.
	d.loaded[p] = &loaded{certificate: c, files: files}
	return c, nil
}

func stamps(p Pair) (s [2]stamp, err error) {
	for i, name := range []string{p.Certificate, p.Key} {
		if strings.HasPrefix(name, "data:") {
			continue
		}
		var info fs.FileInfo
		if info, err = os.Stat(name); err != nil {
			return s, err
		}
		s[i] = stamp{modified: info.ModTime(), size: info.Size()}
	}
	return s, nil
}
