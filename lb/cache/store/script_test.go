package store

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-lb/weir/cluster-test/golden"
	"github.com/weir-lb/weir/lb/errorlog"
)

// TestScripts runs testdata/*.txt in fake time. A line is a command, a comment
// (#), or, beginning with "=", what the command above it must answer:
//
//	zone [PARAMETER…]       a zone on an empty directory: keys=N levels=1:2
//	                        inactive=T max=BYTES free=BYTES temp
//	restart [PARAMETER…]    end it and begin anew on the same directory
//	reload [PARAMETER…]     other settings for the zone
//	put KEY [BYTES]         store a body made of the key
//	get KEY…                where each is found
//	hold KEY                get it and keep it in use
//	held KEY | drop KEY     read what is held; let go of it
//	limit N                 so many files may be open
//	update KEY HEAD         new meta for an entry
//	delete KEY              remove the entry that get finds
//	count KEY               one more use of a key that may not be stored
//	purge TEXT              by key or prefix*
//	begin F KEY [BYTES]     a fill, called F, of an announced length
//	reader R F [OFFSET]     somebody who reads it while it arrives
//	write F TEXT | commit F | abort F
//	read R                  the next piece
//	interrupt R | close R
//	damage KEY HOW [N]      cut N bytes off, flip byte N, zeros N, foreign, remove, touch
//	fault OP ERRNO | free N | mend    what the disk does from now on
//	advance T               let time pass
//	state                   sizes
//	files                   what is in the directory
//	wipe                    somebody removes the directory
//	another KEY [BYTES]     another process stores into the directory
//	litter PATH             a file that somebody left
//	many KEY N              put N keys
//	log                     what was logged since the last time
func TestScripts(t *testing.T) {
	golden.Scripts(t, "testdata/*.txt", func(t *testing.T, text string) (got string) {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) { got = runScript(t, dir, text) })
		return got
	})
}

// script is the state of one run.
type script struct {
	t       *testing.T
	top     string
	zones   int
	o       Options
	z       *Zone
	sys     *faultySystem
	fills   map[string]*Fill
	readers map[string]*scriptReader
	held    map[string]*Entry

	mu  sync.Mutex
	log []string
}

func runScript(t *testing.T, dir, text string) string {
	s := &script{t: t, top: dir, fills: map[string]*Fill{}, readers: map[string]*scriptReader{}, held: map[string]*Entry{}}
	var out strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "=") {
			continue
		}
		out.WriteString(line + "\n")
		words := strings.Fields(line)
		if len(words) == 0 || words[0][0] == '#' {
			continue
		}
		answer := s.command(words[0], words[1:])
		synctest.Wait() // the background has done what is due now
		if answer != "" {
			out.WriteString("= " + strings.ReplaceAll(answer, "\n", "\n= ") + "\n")
		}
	}
	if s.z != nil {
		s.z.Close()
	}
	return out.String()
}

func (s *script) command(name string, args []string) string {
	switch name {
	case "zone", "restart", "reload":
		s.zone(name, args)
	case "put":
		return s.put(args)
	case "get":
		return s.get(args)
	case "hold", "held", "drop":
		return s.hold(name, args[0])
	case "limit":
		s.z.maxFiles.Store(s.number(args[0]))
	case "update", "delete", "count", "purge":
		return s.change(name, args)
	case "begin", "reader", "write", "commit", "abort", "read", "interrupt", "close":
		return s.fill(name, args)
	case "damage":
		s.damage(args)
	case "fault":
		s.sys.fail(args[0], errnos()[args[1]])
	case "free":
		s.sys.left(s.number(args[0]))
	case "mend":
		s.sys.pass()
	case "advance":
		d, err := time.ParseDuration(args[0])
		if err != nil {
			s.t.Fatal(err)
		}
		time.Sleep(d)
	case "state":
		st := s.z.Stats()
		text := fmt.Sprintf("%d keys, %d bytes, %d open, %d in memory", st.Keys, st.Size, st.Files, s.inMemory())
		if st.Memory > s.o.KeysSize {
			text += ", too much memory"
		}
		if st.Cold {
			text += ", cold"
		}
		return text
	case "files":
		return s.files()
	case "wipe", "another", "litter":
		s.outside(name, args)
	case "many":
		for i := range s.number(args[1]) {
			s.put([]string{args[0] + fmt.Sprint(i)})
		}
	case "log":
		s.mu.Lock()
		defer s.mu.Unlock()
		text := strings.Join(s.log, "\n")
		s.log = nil
		return text
	default:
		s.t.Fatalf("unknown command %q", name)
	}
	return ""
}

// outside does what others do to the directory.
func (s *script) outside(name string, args []string) {
	switch name {
	case "wipe":
		if err := os.RemoveAll(s.o.Path); err != nil {
			s.t.Fatal(err)
		}
	case "another":
		o := s.o
		z, err := new(Set).Open(o)
		if err != nil {
			s.t.Fatal(err)
		}
		own := s.z
		s.z = z
		z.Start(o)
		s.put(args)
		s.z = own
		z.Close()
	case "litter":
		path := filepath.Join(s.top, args[0])
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			s.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("litter"), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
}

func errnos() map[string]syscall.Errno {
	return map[string]syscall.Errno{
		"ENOSPC": syscall.ENOSPC, "EROFS": syscall.EROFS, "EIO": syscall.EIO, "EMFILE": syscall.EMFILE,
		"EACCES": syscall.EACCES, "EXDEV": syscall.EXDEV, "ENOENT": syscall.ENOENT,
	}
}

func (s *script) number(word string) int64 {
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

func (s *script) zone(name string, args []string) {
	if name == "zone" {
		s.zones++
		s.o = Options{Name: "one", Path: filepath.Join(s.top, fmt.Sprint("cache", s.zones)), KeysSize: 1 << 20}
		s.o.Log = errorlog.NewFunc(errorlog.Notice, func(level errorlog.Level, _ uint64, message string) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.log = append(s.log, level.String()+": "+s.tidy(message))
		})
	}
	for _, arg := range args {
		s.parameter(arg)
	}
	if name == "reload" {
		s.z.Start(s.o)
		return
	}
	if s.z != nil {
		s.z.Close()
	}
	z, err := new(Set).Open(s.o)
	if err != nil {
		s.t.Fatal(err)
	}
	s.z = z
	if name == "zone" {
		s.sys = &faultySystem{}
	}
	z.sys = s.sys
	z.Start(s.o)
}

func (s *script) parameter(arg string) {
	name, value, _ := strings.Cut(arg, "=")
	switch name {
	case "keys":
		s.o.KeysSize = s.number(value) * keySize
	case "levels":
		for digit := range strings.SplitSeq(value, ":") {
			s.o.Levels = append(s.o.Levels, int(s.number(digit)))
		}
	case "inactive":
		d, err := time.ParseDuration(value)
		if err != nil {
			s.t.Fatal(err)
		}
		s.o.Inactive = d
	case "max":
		s.o.MaxSize = s.number(value)
	case "free":
		s.o.MinFree = s.number(value)
	case "temp":
		s.o.TempPath = filepath.Join(s.top, "temp", "deep")
	case "loader":
		s.o.Loader.Files = int(s.number(value))
	default:
		s.t.Fatalf("unknown parameter %q", arg)
	}
}

// bodyFor is the body that put makes of a key.
func bodyFor(key string, size int) []byte {
	return slices.Repeat([]byte(key+" "), size/(len(key)+1)+1)[:size]
}

func (s *script) put(args []string) string {
	size := 10
	if len(args) > 1 {
		size = int(s.number(args[1]))
	}
	f, err := s.z.Begin(FillOptions{Key: keyOf(args[0]), Text: textOf(args[0]), Meta: Meta{Status: 200, Head: []byte("first")}, Length: -1})
	if err != nil {
		return err.Error()
	}
	if _, err := f.Write(bodyFor(args[0], size)); err != nil {
		f.Abort()
		return s.relative(err)
	}
	if err := f.Commit(); err != nil {
		return s.relative(err)
	}
	return ""
}

func (s *script) relative(err error) string { return s.tidy(describe(err)) }

// tidy leaves out what differs from run to run.
func (s *script) tidy(text string) string {
	return regexp.MustCompile(`\.\d{10}\b`).ReplaceAllString(strings.ReplaceAll(text, s.top, ""), ".N")
}

// A key in a script is a text, perhaps with "+variant" behind it.

func textOf(key string) []byte {
	text, _, _ := strings.Cut(key, "+")
	return []byte(text)
}

func keyOf(key string) Key {
	text, variant, found := strings.Cut(key, "+")
	k := KeyOf([]byte(text))
	if found {
		k = k.Variant([16]byte([]byte(variant + "----------------")[:16]))
	}
	return k
}

func (s *script) get(args []string) string {
	var out []string
	for _, key := range args {
		e := s.z.Get(keyOf(key), textOf(key), time.Now().Unix())
		switch {
		case e == nil:
			out = append(out, key+" miss")
			continue
		case string(bodyOf(s.t, e)) != string(bodyFor(key, int(e.Len()))):
			s.t.Errorf("%s: the body of another", key)
		}
		place := "file"
		if _, ok := e.Bytes(); ok {
			place = "memory"
		}
		out = append(out, key+" "+place+" "+string(e.Meta().Head))
		e.Release()
	}
	return strings.Join(out, ", ")
}

// hold keeps an entry in use, as a slow client does.
func (s *script) hold(name, key string) string {
	e := s.held[key]
	switch name {
	case "hold":
		if e = s.z.Get(keyOf(key), textOf(key), time.Now().Unix()); e == nil {
			return "miss"
		}
		s.held[key] = e
	case "held":
		if string(bodyOf(s.t, e)) != string(bodyFor(key, int(e.Len()))) {
			return "another body"
		}
		return "whole"
	case "drop":
		e.Release()
		delete(s.held, key)
	}
	return ""
}

// inMemory counts the live entries without an open file.
func (s *script) inMemory() (n int64) {
	for i := range s.z.shards {
		sh := &s.z.shards[i]
		sh.mu.Lock()
		for e := sh.live.ring.newer; e != &sh.live.ring; e = e.newer {
			n++
		}
		sh.mu.Unlock()
	}
	return n - s.z.Stats().Files
}

func (s *script) change(name string, args []string) string {
	switch name {
	case "count":
		return fmt.Sprint(s.z.Count(keyOf(args[0]), time.Now().Unix()))
	case "purge":
		found, err := s.z.Purge([]byte(args[0]))
		if err != nil {
			return s.relative(err)
		}
		if !found {
			return "not found"
		}
		return ""
	}
	e := s.z.Get(keyOf(args[0]), textOf(args[0]), time.Now().Unix())
	if e == nil {
		return "miss"
	}
	defer e.Release()
	if name == "delete" {
		s.z.Delete(e)
		return ""
	}
	m := *e.Meta()
	m.Head = []byte(args[1])
	if len(args) > 2 {
		m.Head = slices.Repeat(m.Head, int(s.number(args[2])))
	}
	x := s.z.Expect(e.Key(), e.Text())
	defer x.End()
	s.z.Update(e, m, x).Release()
	return ""
}

func (s *script) files() string {
	var names []string
	err := filepath.WalkDir(s.top, func(path string, d fs.DirEntry, err error) error {
		name := strings.TrimPrefix(path, s.top+"/")
		if err == nil && !d.IsDir() && (strings.HasPrefix(path, s.o.Path+"/") || strings.HasPrefix(name, "temp/")) {
			names = append(names, s.tidy(name))
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	slices.Sort(names)
	return strings.Join(names, "\n")
}

func (s *script) damage(args []string) {
	path := s.z.file(keyOf(args[0]))
	content, err := os.ReadFile(path)
	if err == nil {
		switch args[1] {
		case "cut":
			err = os.Truncate(path, int64(len(content))-s.number(args[2]))
		case "flip":
			at := s.number(args[2])
			if at < 0 {
				at += int64(len(content))
			}
			content[at] ^= 0x40
			err = os.WriteFile(path, content, 0o600)
		case "zeros":
			err = os.WriteFile(path, make([]byte, s.number(args[2])), 0o600)
		case "foreign":
			err = os.WriteFile(path, []byte("something else"), 0o600)
		case "touch":
			err = os.Chtimes(path, time.Time{}, time.Unix(1, 0))
		case "remove":
			err = os.Remove(path)
		default:
			s.t.Fatalf("unknown damage %q", args[1])
		}
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// scriptReader reads a fill on a goroutine of its own, since a read may wait.
type scriptReader struct {
	r      *FillReader
	answer chan string
	asked  bool
}

func (s *script) fill(name string, args []string) string {
	f, r := s.fills[args[0]], s.readers[args[0]]
	var err error
	switch name {
	case "begin":
		length := int64(-1)
		if len(args) > 2 {
			length = s.number(args[2])
		}
		s.fills[args[0]], err = s.z.Begin(FillOptions{Key: keyOf(args[1]), Text: textOf(args[1]), Length: length})
	case "reader":
		offset := int64(0)
		if len(args) > 2 {
			offset = s.number(args[2])
		}
		r := s.fills[args[1]].Reader(offset)
		if r == nil {
			return "it has ended"
		}
		s.readers[args[0]] = &scriptReader{r: r, answer: make(chan string, 1)}
	case "write":
		text := args[1]
		if len(args) > 2 {
			text = strings.Repeat(text, int(s.number(args[2])))
		}
		_, err = f.Write([]byte(text))
	case "commit":
		err = f.Commit()
	case "abort":
		f.Abort()
	case "read":
		return s.read(r)
	case "interrupt":
		r.r.Interrupt()
	case "close":
		r.r.Close()
	}
	if err != nil {
		return s.relative(err)
	}
	return ""
}

// read asks for the next piece, or goes on waiting for the one asked for.
func (s *script) read(r *scriptReader) string {
	if !r.asked {
		r.asked = true
		go func() {
			p, err := r.r.Next(make([]byte, 1<<20))
			switch {
			case err != nil:
				r.answer <- err.Error()
			case len(p) > 40:
				r.answer <- fmt.Sprintf("%q… %d bytes", p[:4], len(p))
			default:
				r.answer <- fmt.Sprintf("%q", p)
			}
		}()
	}
	synctest.Wait()
	select {
	case a := <-r.answer:
		r.asked = false
		return a
	default:
		return "waits"
	}
}
