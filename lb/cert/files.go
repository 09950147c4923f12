package cert

import "crypto/tls"

// Files remembers what was read while one generation is built, so that many virtual servers with the same certificate share it in
// memory, and a password file that is a named pipe is read once only. It is not safe for use by several goroutines. The zero value
// is ready for use; every generation needs a new one, as files change.
type Files struct {
	passwords map[string][][]byte
	pairs     map[pairKey]*tls.Certificate
}

type pairKey struct {
	Pair
	passwordFile string
}

// Load is like the function Load, with the passwords of a file, which may be "".
func (f *Files) Load(p Pair, passwordFile string) (*tls.Certificate, error) {
	key := pairKey{p, passwordFile}
	if c := f.pairs[key]; c != nil {
		return c, nil
	}
	passwords, err := f.readPasswords(passwordFile)
	if err != nil {
		return nil, err
	}
	c, err := Load(p, passwords)
	if err != nil {
		return nil, err
	}
	if f.pairs == nil {
		f.pairs = make(map[pairKey]*tls.Certificate)
	}
	f.pairs[key] = c
	return c, nil
}

func (f *Files) readPasswords(file string) ([][]byte, error) {
	if file == "" {
		return nil, nil
	}
	if list, ok := f.passwords[file]; ok {
		return list, nil
	}
	list, err := ReadPasswords(file)
	if err != nil {
		return nil, err
	}
	if f.passwords == nil {
		f.passwords = make(map[string][][]byte)
	}
	f.passwords[file] = list
	return list, nil
}
