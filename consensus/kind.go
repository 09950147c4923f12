package consensus

import "fmt"

// Level is the newest level of commands that this program understands. One
// that older programs cannot read has a higher level than theirs, and comes into
// no log before all nodes have reached it: see State.Level.
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

// kind is a row of the table of what commands can do.
type kind struct {
	number, level uint16
	fresh         func() Change     // a new change, to read into
	is            func(Change) bool // of this kind
}

// vocabulary is what a program understands: a row for each kind.
type vocabulary []kind

// kinds is the vocabulary of this program.
func kinds() vocabulary {
	return vocabulary{
		row[Batch](kindBatch, levelFirst),
		row[Form](kindForm, levelFirst),
		row[RaiseEpoch](kindRaiseEpoch, levelFirst),
		row[AddServer](kindAddServer, levelFirst),
		row[EditServer](kindEditServer, levelFirst),
		row[RemoveServer](kindRemoveServer, levelFirst),
		row[RestoreServer](kindRestoreServer, levelFirst),
		row[GiveOrder](kindGiveOrder, levelFirst),
		row[PutAnswer](kindPutAnswer, levelFirst),
		row[DropAnswer](kindDropAnswer, levelFirst),
		row[CreateKey](kindCreateKey, levelFirst),
		row[ActivateKey](kindActivateKey, levelFirst),
		row[DropKey](kindDropKey, levelFirst),
		row[JoinNode](kindJoinNode, levelFirst),
		row[RemoveNode](kindRemoveNode, levelFirst),
		row[MarkSeeded](kindMarkSeeded, levelFirst),
	}
}

func row[T any, C interface {
	*T
	Change
}](number, level uint16) kind {
	return kind{number, level, func() Change { return C(new(T)) }, func(c Change) bool { _, is := c.(C); return is }}
}

// of returns the row of a change.
func (v vocabulary) of(c Change) (*kind, error) {
	for i := range v {
		if v[i].is(c) {
			return &v[i], nil
		}
	}
	return nil, fmt.Errorf("%T is no change that the log knows", c)
}

// numbered returns the row of a number, nil if there is none.
func (v vocabulary) numbered(number uint16) *kind {
	for i := range v {
		if v[i].number == number {
			return &v[i]
		}
	}
	return nil
}

// level returns the level that a program needs to read a change: that of its
// kind, and in a batch the highest.
func (v vocabulary) level(c Change) (uint16, error) {
	k, err := v.of(c)
	if err != nil {
		return 0, err
	}
	level := k.level
	if b, ok := c.(*Batch); ok {
		for _, inner := range *b {
			l, err := v.level(inner)
			if err != nil {
				return 0, err
			}
			level = max(level, l)
		}
	}
	return level, nil
}

// newest returns the highest level of the kinds.
func (v vocabulary) newest() (level uint16) {
	for i := range v {
		level = max(level, v[i].level)
	}
	return level
}
