package consensus

import (
	"log/slog"
	"strings"

	"github.com/hashicorp/go-hclog"
)

// raftWords hands on what the library logs. It repeats itself, and what matters
// of it this package says in its own words: so it is for debugging only.
type raftWords struct {
	log *slog.Logger
}

func (w *raftWords) logger() hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{Name: "raft", Level: hclog.Warn, Output: w, DisableTime: true})
}

// Write takes one line.
func (w *raftWords) Write(line []byte) (int, error) {
	w.log.Debug(strings.TrimSpace(string(line)))
	return len(line), nil
}
