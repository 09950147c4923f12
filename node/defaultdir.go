package node

import (
	"os"
	"path/filepath"

	"github.com/weir-lb/weir/config"
)

// makeDefaultDirs makes the folder of logs that stands in where a
// configuration names none, so that weir starts on a machine to which no
// package has prepared it. Folders that an operator wrote are never made. Where
// the rights are missing, the opening of the log tells so.
func makeDefaultDirs(cfg *config.Config) {
	dir := filepath.Dir(config.DefaultErrorLog)
	uses := false
	for _, l := range cfg.ErrorLogs {
		uses = uses || l.Path == config.DefaultErrorLog
	}
	if cfg.HTTP != nil {
		for _, l := range cfg.HTTP.AccessLogs {
			uses = uses || l.Path.Value == config.DefaultAccessLog
		}
	}
	if uses {
		_ = os.MkdirAll(dir, 0o755)
	}
}
