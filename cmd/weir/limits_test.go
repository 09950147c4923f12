package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestLimits: worker_rlimit_nofile is the process's limit of descriptors, and worker_processes says how many CPUs it uses.
func TestLimits(t *testing.T) {
	t.Parallel()
	for _, cpus := range []int{1, 3} {
		s := newSite(t)
		s.write("one", fmt.Sprintf("worker_processes %d; worker_rlimit_nofile 777;", cpus), "")
		s.start()
		limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", s.cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		if !hasFields(string(limits), "Max open files", "777") {
			t.Errorf("limits:\n%s", limits)
		}
		s.logs(fmt.Sprintf(" %d CPUs\n", cpus))
		s.signal("quit")
		s.end()
	}
}

// hasFields tells whether a line begins with a title and has a value behind it.
func hasFields(text, title, value string) bool {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, title); ok && strings.HasPrefix(strings.TrimSpace(rest), value+" ") {
			return true
		}
	}
	return false
}
