package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// runTime sums how long the threads of a process have run on a CPU, from the scheduler's own account, which is exact to
// the nanosecond. Threads that have ended are not in it; the proxies here keep theirs.
func runTime(pid int) (time.Duration, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, file := range files {
		text, err := os.ReadFile(file)
		if os.IsNotExist(err) {
			continue // the thread has just ended
		}
		if err != nil {
			return 0, fmt.Errorf("reading run time: %w", err)
		}
		d, err := parseSchedstat(text)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", file, err)
		}
		sum += d
	}
	if sum == 0 {
		return 0, fmt.Errorf("process %d has no run time: it has ended, or the kernel keeps no scheduler statistics", pid)
	}
	return sum, nil
}

// parseSchedstat takes the first of its three numbers, the run time in nanoseconds.
func parseSchedstat(text []byte) (time.Duration, error) {
	first, _, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	n, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("reading run time: %w", err)
	}
	return time.Duration(n), nil
}

// residentKB reads the resident memory of a process in KB.
func residentKB(pid int) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("reading memory: %w", err)
	}
	return parseResident(text)
}

func parseResident(status []byte) (int, error) {
	for line := range bytes.Lines(status) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmRSS:")); ok {
			number, _, _ := strings.Cut(strings.TrimSpace(string(rest)), " ")
			return strconv.Atoi(number)
		}
	}
	return 0, fmt.Errorf("reading memory: no VmRSS line")
}
