package lb

import (
	"testing"
	"unsafe"
)

// TestConnStaysSmall: what an idle connection holds is its goroutine's stack and
// little else; a field more would make the allocator take the next size.
func TestConnStaysSmall(t *testing.T) {
	t.Parallel()
	if got := unsafe.Sizeof(conn{}); got > 384 {
		t.Errorf("conn has %d bytes", got)
	}
}
