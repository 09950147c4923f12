package gossip

import (
	"encoding/hex"
	"fmt"
)

// nodeID is the identity of a node: the 16 random bytes in its data folder. In the API it is 32 hexadecimal digits.
type nodeID [16]byte

// parseID reads 32 hexadecimal digits.
func parseID(text string) (id nodeID, err error) {
	if len(text) != 2*len(id) {
		return id, fmt.Errorf("node id %q does not have %d digits", text, 2*len(id))
	}
	if _, err := hex.Decode(id[:], []byte(text)); err != nil {
		return id, fmt.Errorf("node id %q: %w", text, err)
	}
	return id, nil
}

// String gives the 32 digits.
func (id nodeID) String() string { return hex.EncodeToString(id[:]) }
