package listen

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// Export returns duplicates of all listening descriptors for a successor process, and the value of the environment variable that
// tells it their numbers when they are passed from descriptor first on, as with exec.Cmd.ExtraFiles and first = 3. The value has the
// form of nginx's NGINX variable: "3;4;5;". The caller closes the files. From here on this set leaves the files of unix sockets alone;
// see [Set.Reclaim].
func (s *Set) Export(first int) ([]*os.File, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var files []*os.File
	var env strings.Builder
	for _, socket := range s.sockets {
		for _, l := range socket.lanes {
			f, err := l.ln.(interface{ File() (*os.File, error) }).File()
			if err != nil {
				for _, f := range files {
					f.Close() // duplicates nobody uses: a failure changes nothing
				}
				return nil, "", fmt.Errorf("handing on %s: %w", socket.Name(), err)
			}
			env.WriteString(strconv.Itoa(first+len(files)) + ";")
			files = append(files, f)
		}
	}
	s.handedOn = true
	return files, env.String(), nil
}

// Reclaim tells the set that the successor it exported its sockets to is gone, so that it owns the unix socket files again.
func (s *Set) Reclaim() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handedOn = false
}

// Import takes over the descriptors named in the value of the environment variable that a predecessor's [Set.Export] made.
// They are claimed by the first Open for the same addresses; those left over are closed at its Commit. It is to be called once,
// before the first Open. The error names a value that is not a list of listening sockets; those before it are taken over.
func (s *Set) Import(value string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inherited = make(map[string][]*lane)
	for value != "" {
		number, rest, ok := strings.Cut(value, ";")
		fd, err := strconv.ParseUint(number, 10, 31)
		if !ok || err != nil {
			return fmt.Errorf("invalid socket number %q in the inherited sockets, ignoring the rest", number)
		}
		value = rest
		ln, err := importListener(uintptr(fd), s.reaper)
		if err != nil {
			return fmt.Errorf("inherited socket %d: %w", fd, err)
		}
		name := listenerName(ln)
		s.inherited[name] = append(s.inherited[name], &lane{ln: ln, inherited: true})
	}
	return nil
}

func importListener(fd uintptr, r *reaper) (net.Listener, error) {
	file := os.NewFile(fd, "listener")
	if file == nil {
		return nil, os.ErrInvalid
	}
	defer file.Close() // FileListener works on a duplicate
	ln, err := net.FileListener(file)
	if err != nil {
		return nil, err
	}
	return adopt(ln, r)
}

// listenerName returns the Spec.Name a listener was opened for.
func listenerName(ln net.Listener) string {
	spec := Spec{}
	switch addr := ln.Addr().(type) {
	case *net.TCPAddr:
		ip, _ := netip.AddrFromSlice(addr.IP)
		spec.Addr = netip.AddrPortFrom(ip.WithZone(addr.Zone), uint16(addr.Port))
	case *net.UnixAddr:
		spec.Path = addr.Name
	}
	return spec.Name()
}

// claim gives a new socket the descriptors inherited for its address, if there are any.
func (s *Set) claim(socket *Socket) {
	socket.lanes = s.inherited[socket.name]
	delete(s.inherited, socket.name)
}

// unclaim undoes claim for those of the descriptors that were inherited and never accepted on.
func (s *Set) unclaim(socket *Socket, lanes []*lane) {
	if _, inForce := s.sockets[socket.name]; inForce {
		return
	}
	for _, l := range lanes {
		if l.inherited {
			s.inherited[socket.name] = append(s.inherited[socket.name], l)
		}
	}
}

// dropInherited closes the descriptors that no address claimed.
func (s *Set) dropInherited() error {
	var errs []error
	for _, lanes := range s.inherited {
		errs = append(errs, closeLanes(lanes))
	}
	clear(s.inherited)
	return errors.Join(errs...)
}
