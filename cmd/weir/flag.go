package main

import "fmt"

// flags are the command line options, named as in `weir -h`.
type flags struct {
	help      bool
	version   bool
	configure bool // -V
	test      bool
	dump      bool // -T
	quiet     bool
	signal    string
	prefix    string
	errorLog  string
	file      string
	globals   string
}

// parseFlags reads the arguments after the program's name as nginx does:
// switches may be run together, and the value of an option may follow it
// directly or be the next argument. The standard flag package can do neither.
func parseFlags(args []string) (flags, error) {
	var f flags
	for len(args) > 0 {
		rest, err := f.word(args[0], args[1:])
		if err != nil {
			return flags{}, err
		}
		args = rest
	}
	switch f.signal {
	case "", "stop", "quit", "reopen", "reload":
		return f, nil
	}
	return flags{}, fmt.Errorf(`invalid option: "-s %s"`, f.signal)
}

// word reads one argument and gives the arguments that remain after it.
func (f *flags) word(word string, rest []string) ([]string, error) {
	if word == "" || word[0] != '-' {
		return nil, fmt.Errorf(`invalid option: "%s"`, word)
	}
	for i := 1; i < len(word); i++ {
		if f.letter(word[i]) {
			continue
		}
		value, wants := f.valued(word[i])
		if value == nil {
			return nil, fmt.Errorf(`invalid option: "%c"`, word[i])
		}
		*value = word[i+1:]
		if *value == "" && len(rest) > 0 {
			*value, rest = rest[0], rest[1:]
		}
		if *value == "" {
			return nil, fmt.Errorf(`option "-%c" requires %s`, word[i], wants)
		}
		break
	}
	return rest, nil
}

// letter sets a switch, and tells whether c is one.
func (f *flags) letter(c byte) bool {
	switch c {
	case '?', 'h':
		f.help, f.version = true, true
	case 'v':
		f.version = true
	case 'V':
		f.version, f.configure = true, true
	case 't':
		f.test = true
	case 'T':
		f.test, f.dump = true, true
	case 'q':
		f.quiet = true
	default:
		return false
	}
	return true
}

// valued gives the place of the value of option c and what the value is called;
// nil if there is no such option.
func (f *flags) valued(c byte) (*string, string) {
	switch c {
	case 'p':
		return &f.prefix, "directory name"
	case 'e':
		return &f.errorLog, "file name"
	case 'c':
		return &f.file, "file name"
	case 'g':
		return &f.globals, "parameter"
	case 's':
		return &f.signal, "parameter"
	}
	return nil, ""
}
