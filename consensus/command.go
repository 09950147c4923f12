package consensus

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"unicode/utf8"
)

// Command is one entry of the log.
type Command struct {
	Request RequestID // zero: it is not repeated
	Actor   string    // who asked for it, at most 255 bytes
	// Skippable says that nodes which do not know the kind of change may go on
	// without it.
	Skippable bool
	// Change is what it does; nil in one of an unknown kind that may be skipped.
	Change Change
}

// Change is what a command does to a state: one of the types of this package
// with an apply method.
type Change interface {
	apply(d *draft) *refusal
}

// The envelope: magic(2) kind(2) level(2) flags(2) request(16) actor(1+n)
// payload(4+n) crc32c(4), numbers big-endian. The log itself has no checksums
// on disk. The payload is JSON.
const (
	magic         = 0x7e57
	flagSkippable = 1
	headSize      = 2 + 2 + 2 + 2 + 16
	maxActor      = 255
	// MaxCommand is the size of the largest command, in bytes.
	MaxCommand = 512 << 10
)

// Why a command cannot be decoded.
var (
	// ErrDamaged says that the bytes are not those that were written. The log
	// cannot be followed any further: to skip an entry would fork the state.
	ErrDamaged = errors.New("damaged command")
	// ErrNewer says that a newer program wrote the command, and that it may
	// not be skipped. A newer program can go on with this log.
	ErrNewer = errors.New("command of a newer version")
)

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// Encode writes a command as it stands in the log.
func (c *Command) Encode() ([]byte, error) { return kinds().encode(c) }

func (v vocabulary) encode(c *Command) ([]byte, error) {
	k, err := v.of(c.Change)
	if err != nil {
		return nil, err
	}
	level, err := v.level(c.Change)
	if err != nil {
		return nil, err
	}
	payload, err := json.Marshal(c.Change)
	if err != nil {
		return nil, fmt.Errorf("command %T: %w", c.Change, err)
	}
	if len(c.Actor) > maxActor || !utf8.ValidString(c.Actor) {
		return nil, fmt.Errorf("actor %q of a command is too long or not UTF-8", c.Actor)
	}
	var flags uint16
	if c.Skippable {
		flags |= flagSkippable
	}
	return seal(head{kind: k.number, level: level, flags: flags, request: c.Request, actor: c.Actor}, payload)
}

// head is what stands before the payload.
type head struct {
	kind, level, flags uint16
	request            RequestID
	actor              string
}

func seal(h head, payload []byte) ([]byte, error) {
	b := binary.BigEndian.AppendUint16(nil, magic)
	b = binary.BigEndian.AppendUint16(b, h.kind)
	b = binary.BigEndian.AppendUint16(b, h.level)
	b = binary.BigEndian.AppendUint16(b, h.flags)
	b = append(b, h.request[:]...)
	b = append(append(b, byte(len(h.actor))), h.actor...)
	b = append(binary.BigEndian.AppendUint32(b, uint32(len(payload))), payload...)
	b = binary.BigEndian.AppendUint32(b, checksum(b))
	if len(b) > MaxCommand {
		return nil, fmt.Errorf("command of %d bytes, more than %d", len(b), MaxCommand)
	}
	return b, nil
}

// open takes the envelope off.
func open(b []byte) (h head, payload []byte, err error) {
	if len(b) > MaxCommand || len(b) < headSize+1+4+4 || binary.BigEndian.Uint16(b) != magic {
		return h, nil, fmt.Errorf("%w: %d bytes that are no envelope", ErrDamaged, len(b))
	}
	body, sum := b[:len(b)-4], binary.BigEndian.Uint32(b[len(b)-4:])
	if checksum(body) != sum {
		return h, nil, fmt.Errorf("%w: its checksum is wrong", ErrDamaged)
	}
	h.kind, h.level, h.flags = binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint16(b[4:]), binary.BigEndian.Uint16(b[6:])
	copy(h.request[:], b[8:])
	rest := body[headSize:]
	n := int(rest[0])
	if rest = rest[1:]; len(rest) < n+4 {
		return h, nil, fmt.Errorf("%w: its actor is cut off", ErrDamaged)
	}
	h.actor, rest = string(rest[:n]), rest[n:]
	if !utf8.ValidString(h.actor) || uint64(binary.BigEndian.Uint32(rest)) != uint64(len(rest)-4) {
		return h, nil, fmt.Errorf("%w: its lengths do not fit", ErrDamaged)
	}
	return h, rest[4:], nil
}

// Decode reads a command of the log. Its errors are ErrDamaged and ErrNewer.
func Decode(b []byte) (Command, error) { return kinds().decode(b) }

func (v vocabulary) decode(b []byte) (Command, error) {
	h, payload, err := open(b)
	if err != nil {
		return Command{}, err
	}
	c := Command{Request: h.request, Actor: h.actor, Skippable: h.flags&flagSkippable != 0}
	k, newest := v.numbered(h.kind), v.newest()
	switch {
	case h.level > newest && c.Skippable:
		return c, nil
	case h.level > newest:
		return Command{}, fmt.Errorf("%w: kind %d of level %d, this program knows level %d", ErrNewer, h.kind, h.level, newest)
	case k == nil:
		return Command{}, fmt.Errorf("%w: level %d has no kind %d", ErrDamaged, h.level, h.kind)
	}
	c.Change = k.fresh()
	if err := strictly(payload, c.Change); err != nil {
		return Command{}, fmt.Errorf("%w: kind %d: %w", ErrDamaged, h.kind, err)
	}
	return c, nil
}

// strictly reads JSON in which every field is known: what a node overlooked
// would be a fork.
func strictly(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("more than one value")
	}
	return nil
}

// member is a change inside a batch.
type member struct {
	Kind   uint16          `json:"kind"`
	Change json.RawMessage `json:"change"`
}

// MarshalJSON writes the changes with their kinds.
func (b Batch) MarshalJSON() ([]byte, error) {
	list, known := make([]member, 0, len(b)), kinds()
	for _, c := range b {
		k, err := known.of(c)
		if err == nil && k.number == kindBatch {
			err = errors.New("a batch inside a batch")
		}
		if err != nil {
			return nil, err
		}
		text, err := json.Marshal(c)
		if err != nil {
			return nil, err
		}
		list = append(list, member{k.number, text})
	}
	return json.Marshal(list)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (b *Batch) UnmarshalJSON(text []byte) error {
	var list []member
	if err := strictly(text, &list); err != nil {
		return err
	}
	known := kinds()
	for _, m := range list {
		k := known.numbered(m.Kind)
		if k == nil || m.Kind == kindBatch {
			return fmt.Errorf("kind %d inside a batch", m.Kind)
		}
		c := k.fresh()
		if err := strictly(m.Change, c); err != nil {
			return err
		}
		*b = append(*b, c)
	}
	return nil
}
