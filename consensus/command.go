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

// Level is the newest level of commands that this program understands. One
// that older programs cannot read has a higher level than theirs, and is not
// proposed before all nodes have reached it.
const Level = levelFirst

// A kind of change keeps the level it came with for ever, so that older
// programs read what newer ones write as long as it says nothing new. All kinds
// so far came with the first.
const levelFirst uint16 = 1

// The kinds of change, as in the log. Numbers are never used again.
const (
	kindBatch uint16 = iota + 1
	kindForm
	kindRaiseEpoch
	kindAddServer
	kindEditServer
	kindRemoveServer
	kindRestoreServer
	kindGiveOrder
	kindPutAnswer
	kindDropAnswer
	kindCreateKey
	kindActivateKey
	kindDropKey
	kindJoinNode
	kindRemoveNode
	kindMarkSeeded
)

// kinds has a row for each kind: its number, and a new change to read into.
func kinds() map[uint16]func() Change {
	return map[uint16]func() Change{
		kindBatch:         func() Change { return new(Batch) },
		kindForm:          func() Change { return new(Form) },
		kindRaiseEpoch:    func() Change { return new(RaiseEpoch) },
		kindAddServer:     func() Change { return new(AddServer) },
		kindEditServer:    func() Change { return new(EditServer) },
		kindRemoveServer:  func() Change { return new(RemoveServer) },
		kindRestoreServer: func() Change { return new(RestoreServer) },
		kindGiveOrder:     func() Change { return new(GiveOrder) },
		kindPutAnswer:     func() Change { return new(PutAnswer) },
		kindDropAnswer:    func() Change { return new(DropAnswer) },
		kindCreateKey:     func() Change { return new(CreateKey) },
		kindActivateKey:   func() Change { return new(ActivateKey) },
		kindDropKey:       func() Change { return new(DropKey) },
		kindJoinNode:      func() Change { return new(JoinNode) },
		kindRemoveNode:    func() Change { return new(RemoveNode) },
		kindMarkSeeded:    func() Change { return new(MarkSeeded) },
	}
}

func kindOf(c Change) (uint16, error) {
	switch c.(type) {
	case *Batch:
		return kindBatch, nil
	case *Form:
		return kindForm, nil
	case *RaiseEpoch:
		return kindRaiseEpoch, nil
	case *AddServer:
		return kindAddServer, nil
	case *EditServer:
		return kindEditServer, nil
	case *RemoveServer:
		return kindRemoveServer, nil
	case *RestoreServer:
		return kindRestoreServer, nil
	case *GiveOrder:
		return kindGiveOrder, nil
	case *PutAnswer:
		return kindPutAnswer, nil
	case *DropAnswer:
		return kindDropAnswer, nil
	case *CreateKey:
		return kindCreateKey, nil
	case *ActivateKey:
		return kindActivateKey, nil
	case *DropKey:
		return kindDropKey, nil
	case *JoinNode:
		return kindJoinNode, nil
	case *RemoveNode:
		return kindRemoveNode, nil
	case *MarkSeeded:
		return kindMarkSeeded, nil
	}
	return 0, fmt.Errorf("%T is no change that the log knows", c)
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
func (c *Command) Encode() ([]byte, error) {
	kind, err := kindOf(c.Change)
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
	return seal(head{kind: kind, level: levelFirst, flags: flags, request: c.Request, actor: c.Actor}, payload)
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
func Decode(b []byte) (Command, error) {
	h, payload, err := open(b)
	if err != nil {
		return Command{}, err
	}
	c := Command{Request: h.request, Actor: h.actor, Skippable: h.flags&flagSkippable != 0}
	unknown := kinds()[h.kind] == nil
	switch {
	case h.level > Level && c.Skippable:
		return c, nil
	case h.level > Level:
		return Command{}, fmt.Errorf("%w: kind %d of level %d, this program knows level %d", ErrNewer, h.kind, h.level, Level)
	case unknown:
		return Command{}, fmt.Errorf("%w: level %d has no kind %d", ErrDamaged, h.level, h.kind)
	}
	c.Change = kinds()[h.kind]()
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
	list := make([]member, 0, len(b))
	for _, c := range b {
		kind, err := kindOf(c)
		if err == nil && kind == kindBatch {
			err = errors.New("a batch inside a batch")
		}
		if err != nil {
			return nil, err
		}
		text, err := json.Marshal(c)
		if err != nil {
			return nil, err
		}
		list = append(list, member{kind, text})
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
		if known[m.Kind] == nil || m.Kind == kindBatch {
			return fmt.Errorf("kind %d inside a batch", m.Kind)
		}
		c := known[m.Kind]()
		if err := strictly(m.Change, c); err != nil {
			return err
		}
		*b = append(*b, c)
	}
	return nil
}
