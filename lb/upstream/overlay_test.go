package upstream

import (
	"strings"
	"testing"
	"time"
)

// edits reads "add INDEX LINE", "remove NAME", "change NAME weight=N backup
// down drain", "order NAME up|drain|down", with ; between them. A NAME is what
// an id is made of, "app http" for a line with a service.
func edits(text string) Edits {
	e := Edits{Changed: map[ServerID]Edit{}, Removed: map[ServerID]bool{}, Orders: map[ServerID]Order{}}
	for part := range strings.SplitSeq(text, "; ") {
		what, rest, _ := strings.Cut(part, " ")
		name, more, _ := strings.Cut(rest, " ")
		id := NewServerID("u", strings.ReplaceAll(name, "+", " "))
		switch what {
		case "add":
			e.Added = append(e.Added, Addition{Index: uint64(name[0] - '0'), Server: line(more)})
		case "remove":
			e.Removed[id] = true
		case "change":
			to := line("10.0.0.0 " + more)
			edit := Edit{Weight: &to.Weight}
			if to.Backup {
				edit.Backup = &to.Backup
			}
			e.Changed[id] = edit
		case "order":
			e.Orders[id] = map[string]Order{"up": OrderUp, "drain": OrderDrain, "down": OrderDown}[more]
		}
	}
	return e
}

func TestOverlay(t *testing.T) {
	t.Parallel()
	const a, b, c = "10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"
	for _, tt := range []struct {
		name   string
		method Kind
		lines  string
		edits  string
		want   string // peers, then states
	}{
		{"nothing", RoundRobin, a + ", " + b, "", a + " " + b + " | up up"},
		{"file first, then by index", RoundRobin, b + ", " + a, "add 9 10.0.0.9:80; add 3 " + c, b + " " + a + " " + c + " 10.0.0.9:80 | up up up up"},
		{"removed", RoundRobin, a + ", " + b, "remove " + a, b + " | up"},
		{"removed, but not there", RoundRobin, b, "remove " + a, b + " | up"},
		{"all removed", RoundRobin, a, "remove " + a, " | "},
		{"changed", RoundRobin, a + ", " + b, "change " + b + " weight=5", a + " " + b + "*5 | up up"},
		{"changed to backup", RoundRobin, a + ", " + b, "change " + a + " weight=1 backup", b + " b:" + a + " | up up"},
		{"changed, but not there", RoundRobin, a, "change " + b + " weight=5", a + " | up"},
		{"changed beyond the method", Hash, a + ", " + b, "change " + a + " weight=3 backup", a + " " + b + " | up up"},
		{"changed beyond sense", RoundRobin, a, "change " + a + " weight=0", a + " | up"},
		{"added what is there", RoundRobin, a + ", " + b, "add 1 " + a + " weight=7", a + "*7 " + b + " | up up"},
		{"added beyond the method", Hash, a, "add 1 " + b + " backup; add 2 " + c, a + " " + c + " | up up"},
		{"added with a name", RoundRobin, a, "add 1 app resolve weight=2", a + " app=10.1.0.1:80*2 app=10.1.0.2:80*2 | up up up"},
		{"a name changed", RoundRobin, "app resolve", "change app weight=4", "app=10.1.0.1:80*4 app=10.1.0.2:80*4 | up up"},
		{"a name removed", RoundRobin, "app resolve, " + a, "remove app", a + " | up"},
		{"an address of a name is no line", RoundRobin, "app resolve", "remove 10.1.0.1:80; change 10.1.0.2:80 weight=3", "app=10.1.0.1:80 app=10.1.0.2:80 | up up"},
		{"ordered", RoundRobin, a + ", " + b + ", " + c, "order " + a + " drain; order " + b + " down; order " + c + " up", a + " " + b + " " + c + " | draining down up"},
		{"a name ordered, and one of its addresses", RoundRobin, "app resolve", "order app down; order 10.1.0.2:80 up", "app=10.1.0.1:80 app=10.1.0.2:80 | down up"},
		{"by route", RoundRobin, a + " route=r, " + b, "change r weight=2; order r drain", a + "*2 " + b + " | draining up"},
	} {
		var table Table
		if err := table.SetOverlay(Overlay{1, map[string]Edits{"u": edits(tt.edits), "other": edits("add 1 " + a)}}); err != nil {
			t.Fatal(err)
		}
		cfg := Config{Name: "u", Method: Method{Kind: tt.method}, AllowEmpty: true}
		for text := range strings.SplitSeq(tt.lines, ", ") {
			cfg.Servers = append(cfg.Servers, line(text))
		}
		r := commit(t, &table, cfg)
		answer(t, r, "10.1.0.1 10.1.0.2")
		peers, states, _ := strings.Cut(tt.want, " | ")
		t.Run(tt.name, func(t *testing.T) { expect(t, r, peers, states) })
	}
}

// The lines of a state file count until they have been taken over. Another file
// than a state file always counts.
func TestOverlayOfStateFile(t *testing.T) {
	t.Parallel()
	var table Table
	lines := []Server{line("10.0.0.1:80"), line("10.0.0.2:80 route=r")}
	state := commit(t, &table, Config{Name: "u", AllowEmpty: true, FromState: true, Servers: lines})
	expect(t, state, "10.0.0.1:80 10.0.0.2:80", "up up")
	for i, step := range []struct {
		edits  string
		seeded bool
		want   string
	}{
		{"change 10.0.0.1:80 weight=2", false, "10.0.0.1:80*2 10.0.0.2:80"},
		{"add 1 10.0.0.2:80 route=r; add 2 10.0.0.1:80", false, "10.0.0.1:80 10.0.0.2:80"},
		{"add 1 10.0.0.2:80 route=r; add 2 10.0.0.1:80", true, "10.0.0.2:80 10.0.0.1:80"},
		{"add 1 10.0.0.2:80 route=r", true, "10.0.0.2:80"},
		{"", true, ""},
	} {
		e := edits(step.edits)
		e.Seeded = step.seeded
		if err := table.SetOverlay(Overlay{uint64(i + 1), map[string]Edits{"u": e}}); err != nil {
			t.Fatal(err)
		}
		expect(t, state, step.want, strings.TrimSpace(strings.Repeat("up ", len(strings.Fields(step.want)))))
	}
	expect(t, commit(t, &table, Config{Name: "u", AllowEmpty: true, Servers: lines}), "10.0.0.1:80 10.0.0.2:80", "up up")
}

// An upstream that is not in a zone is what its file says.
func TestOverlayNeedsZone(t *testing.T) {
	t.Parallel()
	var table Table
	r := commit(t, &table, Config{Name: "u", Servers: []Server{line("10.0.0.1:80")}})
	if err := table.SetOverlay(Overlay{1, map[string]Edits{"u": edits("remove 10.0.0.1:80; add 1 10.0.0.2:80")}}); err != nil {
		t.Fatal(err)
	}
	expect(t, r, "10.0.0.1:80", "up")
}

// Edits sleep while their line is absent, and outlive reloads; an overlay that
// is older than the one in force is ignored.
func TestOverlayOverTime(t *testing.T) {
	t.Parallel()
	var table Table
	r := stage(t, &table, "10.0.0.1:80", "10.0.0.2:80")
	lay := func(index uint64, text string) {
		t.Helper()
		if err := table.SetOverlay(Overlay{index, map[string]Edits{"u": edits(text)}}); err != nil {
			t.Fatal(err)
		}
	}
	lay(5, "change 10.0.0.1:80 weight=3; remove 10.0.0.2:80; add 4 10.0.0.4:80")
	expect(t, r, "10.0.0.1:80*3 10.0.0.4:80", "up up")
	peer := r.Pool().Peers()[1]
	peer.SetConns("idle")
	stage(t, &table, "10.0.0.3:80")
	expect(t, r, "10.0.0.3:80 10.0.0.4:80", "up up")
	lay(4, "")
	expect(t, r, "10.0.0.3:80 10.0.0.4:80", "up up")
	stage(t, &table, "10.0.0.2:80", "10.0.0.1:80", "10.0.0.4:80 weight=2")
	expect(t, r, "10.0.0.1:80*3 10.0.0.4:80", "up up")
	if r.Pool().Peers()[1].Conns() != "idle" {
		t.Error("a server that came into the file became another one")
	}
	lay(6, "order 10.0.0.4:80 down")
	expect(t, r, "10.0.0.2:80 10.0.0.1:80 10.0.0.4:80*2", "up up down")
	// Said between Prepare and Commit.
	change, err := table.Prepare(Config{Name: "u", AllowEmpty: true, Servers: []Server{line("10.0.0.1:80")}})
	if err != nil {
		t.Fatal(err)
	}
	lay(7, "add 7 app resolve; order 10.0.0.1:80 drain")
	if err := table.Commit([]*Change{change}); err != nil {
		t.Fatal(err)
	}
	expect(t, r, "10.0.0.1:80", "draining")
	if q := r.Questions(); len(q) != 1 || q[0] != appQuestion {
		t.Errorf("asks %v", q)
	}
	answer(t, r, "10.1.0.1")
	expect(t, r, "10.0.0.1:80 app=10.1.0.1:80", "draining up")
	if lines := r.Lines(); len(lines) != 2 || !lines[0].Drain || lines[1].Question != appQuestion || lines[1].FailTimeout != 10*time.Second {
		t.Errorf("lines %+v", lines)
	}
	// All other edits are taken back: the answer goes with its line.
	lay(8, "")
	expect(t, r, "10.0.0.1:80", "up")
}
