package consensus

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// An instance that ends answers what was agreed on and is not applied yet: nobody
// waits for that for ever.
func TestWritesAreAnsweredAtTheEnd(t *testing.T) {
	inTime(t, func(t *testing.T) {
		for range 10 { // the library would lose every other
			applying, goOn := make(chan struct{}, 1), make(chan struct{})
			o := Options{Dir: t.TempDir(), ID: "00000000000000000000000000000001"}
			o.decode = func(b []byte) (Command, error) {
				c, err := Decode(b)
				if _, ok := c.Change.(*AddServer); ok {
					select {
					case applying <- struct{}{}:
					default:
					}
					<-goOn
				}
				return c, err
			}
			c, err := Open(o)
			if err != nil {
				t.Fatal(err)
			}
			var writers sync.WaitGroup
			write := func(id ServerID) { writers.Go(func() { _, _ = c.Propose(t.Context(), addServer(id)) }) } // it is closed meanwhile
			write(1)
			<-applying
			write(2)
			write(3)
			synctest.Wait()
			time.AfterFunc(10*time.Millisecond, func() { close(goOn) })
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			writers.Wait()
		}
	})
}
