package lb

import (
	"fmt"
	"testing"
)

func TestTrimmer(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		seconds []int // notes in each
		want    string
	}{
		{"few", []int{trimQuiet, 0, 0}, "[false false false]"},
		{"burst", []int{trimAfter, 0, 0, 0}, "[false true true false]"},
		{"burst over seconds", []int{trimAfter / 2, trimAfter / 2, trimQuiet, 0, 0}, "[false false true true false]"},
		{"never quiet", []int{trimAfter, trimQuiet + 1, trimQuiet + 1}, "[false false false]"},
		{"burst again between", []int{trimAfter, 0, trimAfter, 0, 0, 0}, "[false true false true true false]"},
	}
	for _, tt := range tests {
		var tr trimmer
		var got []bool
		for _, n := range tt.seconds {
			for range n {
				tr.note()
			}
			got = append(got, tr.due())
		}
		if fmt.Sprint(got) != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, got, tt.want)
		}
	}
}
