package measured

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Trial is one run of something that is held to a time.
type Trial struct {
	Took   time.Duration
	Waited time.Duration // for processors, see Waited
}

// Repeat makes as many trials as are wanted and returns how long they took. A machine that others use can only make a
// trial longer: one that took longer than the goal, while those who were to be quick waited for a processor for as long as
// it was late, is made once more. At most three times as many are made, and then the shortest of them count, so that
// what is too slow by itself is found on a busy machine, too.
func Repeat(wanted int, goal time.Duration, trial func() Trial) Times {
	var all Times
	for pardoned := 0; len(all) < wanted+pardoned && len(all) < 3*wanted; {
		t := trial()
		if late := t.Took - goal; late > 0 && t.Waited >= late {
			pardoned++
		}
		all = append(all, t.Took)
	}
	return all.sorted()[:wanted]
}

// Waited tells for how long the threads of processes have been ready to run while every processor was busy with
// something else, since they began. A system that does not tell leaves it at zero.
func Waited(pids ...int) (sum time.Duration) {
	for _, pid := range pids {
		files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		if err != nil {
			continue // there is no such pattern
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				continue // the thread has ended
			}
			sum += waitedOf(string(text))
		}
	}
	return sum
}

// waitedOf reads the account of a thread: the time that it ran, the time that it waited, both in nanoseconds, and how
// often it ran.
func waitedOf(schedstat string) time.Duration {
	fields := strings.Fields(schedstat)
	if len(fields) < 2 {
		return 0
	}
	ns, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return time.Duration(ns)
}
