package node

import (
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/weir-lb/weir/config"
)

// fileUse is a file that a configuration names.
type fileUse struct {
	path  string
	pos   config.Pos
	write bool // else it is read
}

// fileUses gives the files of cfg that are opened again after the privileges
// are gone: by a reload, or when logs are reopened. Names with variables are
// left out, they are opened by requests.
func fileUses(cfg *config.Config) []fileUse {
	uses := errorLogUses(cfg.ErrorLogs)
	for _, s := range blocks(cfg) {
		uses = append(uses, errorLogUses(s.ErrorLogs)...)
		for _, l := range s.AccessLogs {
			uses = append(uses, fileUse{l.Path.Value, l.Pos, true})
		}
		uses = append(uses, upstreamTLSUses(&s.ProxySettings.TLS)...)
		uses = append(uses, upstreamTLSUses(&s.GRPCSettings.TLS)...)
	}
	if cfg.HTTP != nil {
		for _, s := range cfg.HTTP.Servers {
			uses = append(uses, tlsUses(&s.TLS)...)
		}
		for _, u := range cfg.HTTP.Upstreams {
			uses = append(uses, fileUse{u.State, u.StatePos, false})
		}
		for _, k := range cfg.HTTP.StickyKeys {
			uses = append(uses, fileUse{k.File, k.Pos, false})
		}
	}
	uses = slices.DeleteFunc(uses, func(u fileUse) bool { return !isPlainPath(u.path) })
	// Inherited settings name the same file in every block.
	seen := map[fileUse]bool{}
	return slices.DeleteFunc(uses, func(u fileUse) bool {
		known := seen[fileUse{path: u.path, write: u.write}]
		seen[fileUse{path: u.path, write: u.write}] = true
		return known
	})
}

// upstreamTLSUses are the files of TLS towards upstreams.
func upstreamTLSUses(t *config.ProxyTLS) []fileUse {
	return []fileUse{
		{t.Certificate.Value, t.Certificate.Pos, false},
		{t.CertificateKey.Value, t.CertificateKey.Pos, false},
		{t.PasswordFile, t.Pos.PasswordFile, false},
		{t.TrustedCertificate, t.Pos.TrustedCertificate, false},
		{t.CRL, t.Pos.CRL, false},
	}
}

// isPlainPath reports whether path names a file: it is given, without
// variables, and neither data nor a key of an engine.
func isPlainPath(path string) bool {
	return filepath.IsAbs(path) && !strings.Contains(path, "$")
}

func errorLogUses(list []config.ErrorLog) []fileUse {
	var uses []fileUse
	for _, l := range list {
		uses = append(uses, fileUse{l.Path, l.Pos, true})
	}
	return uses
}

func tlsUses(t *config.TLS) []fileUse {
	var uses []fileUse
	for _, text := range slices.Concat(t.Certificates, t.CertificateKeys) {
		uses = append(uses, fileUse{text.Value, text.Pos, false})
	}
	for _, name := range t.SessionTicketKeys {
		uses = append(uses, fileUse{name, t.Pos.SessionTicketKeys, false})
	}
	return append(uses,
		fileUse{t.PasswordFile, t.Pos.PasswordFile, false},
		fileUse{t.ClientCertificate, t.Pos.ClientCertificate, false},
		fileUse{t.TrustedCertificate, t.Pos.TrustedCertificate, false},
		fileUse{t.CRL, t.Pos.CRL, false})
}

// blocks gives the settings of http and of every server and location in it.
func blocks(cfg *config.Config) []*config.Settings {
	if cfg.HTTP == nil {
		return nil
	}
	list := []*config.Settings{&cfg.HTTP.Settings}
	for _, s := range cfg.HTTP.Servers {
		list = append(list, &s.Settings)
		for l := range locations(s.Locations) {
			list = append(list, &l.Settings)
		}
	}
	return list
}

// locations walks nested locations, outer before inner.
func locations(list []*config.Location) iter.Seq[*config.Location] {
	return func(yield func(*config.Location) bool) {
		for _, l := range list {
			if !yield(l) {
				return
			}
			for inner := range locations(l.Locations) {
				if !yield(inner) {
					return
				}
			}
		}
	}
}

// may reports whether the account may use the file, going by owner, group and
// mode of the file and of the directories above it; access control lists are
// not considered. A file that is written only has to be reached: the start gives
// it to the account.
func (a *account) may(u fileUse) bool {
	const read, search = 4, 1
	for dir := filepath.Dir(u.path); ; dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err == nil && !a.allowed(info, search) {
			return false
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	info, err := os.Stat(u.path)
	// Whoever opens a missing file says so.
	return err != nil || u.write || a.allowed(info, read)
}

// tempPaths gives the directories of temporary files.
func tempPaths(cfg *config.Config) []string {
	var list []string
	for _, s := range blocks(cfg) {
		for _, path := range []string{s.ClientBodyTempPath.Path, s.ProxySettings.TempPath.Path} {
			if !slices.Contains(list, path) {
				list = append(list, path)
			}
		}
	}
	return list
}

// cachePaths gives the directories of caches.
func cachePaths(cfg *config.Config) []string {
	var list []string
	if cfg.HTTP == nil {
		return nil
	}
	for _, p := range cfg.HTTP.CachePaths {
		list = append(list, p.Path)
	}
	return list
}

// unixSockets gives the paths of the unix sockets on which cfg listens.
func unixSockets(cfg *config.Config) []string {
	var list []string
	if cfg.HTTP == nil {
		return nil
	}
	for _, s := range cfg.HTTP.Servers {
		for _, l := range s.Listens {
			if l.Unix != "" && !slices.Contains(list, l.Unix) {
				list = append(list, l.Unix)
			}
		}
	}
	return list
}

// allowed reports whether mode grants the account what need asks for, as bits
// of one digit of the mode.
func (a *account) allowed(info fs.FileInfo, need fs.FileMode) bool {
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || a.uid == 0 {
		return true
	}
	mode := info.Mode().Perm()
	switch {
	case int(owner.Uid) == a.uid:
		mode >>= 6
	case slices.Contains(a.groups, int(owner.Gid)):
		mode >>= 3
	}
	return mode&need == need
}
