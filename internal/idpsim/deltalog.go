package idpsim

import (
	"reflect"
	"slices"
)

// deltaLog is what changed in the directory lately, oldest first. It is guarded as the directory is.
type deltaLog struct {
	events []deltaEvent
	floor  int // changes up to this version may be forgotten
	size   int // most events that are kept

	generation int // tokens of an older one have expired
	shape      DeltaExpiry
}

// deltaEvent is one thing that a change did to a user, a group, or a group's member.
type deltaEvent struct {
	at      int // the directory's version after it
	group   bool
	id      string
	changed []string // properties; nil when the object came or went, or when it is about a member
	member  string   // of the group, "" for a change of the object itself
	nested  bool     // the member is a group
	in      bool     // the member was added
}

// note keeps what a step did. It has to be called after the step, with what undoes it.
func (l *deltaLog) note(d *directory, at int, o, inverse op) {
	e := deltaEvent{at: at, id: o.id}
	switch o.kind {
	case opUser:
		if o.user != nil && inverse.user != nil {
			e.changed = differing(renderUser(inverse.user), renderUser(o.user))
			if len(e.changed) == 0 {
				return
			}
		}
	case opDeleted:
		if o.gone != nil { // told by the step that took the user away
			return
		}
	case opGroup:
		e.group = true
		if o.group != nil && inverse.group != nil {
			e.changed = differing(renderGroup(inverse.group), renderGroup(o.group))
			if len(e.changed) == 0 {
				return
			}
		}
	case opMember:
		e.group, e.member, e.in, e.nested = true, o.member, o.in, d.groups[o.member] != nil
	default:
		return
	}
	l.events = append(l.events, e)
	if len(l.events) > l.size {
		cut := l.size/4 + 1
		l.floor = l.events[cut-1].at
		l.events = slices.Clone(l.events[cut:])
	}
}

// differing lists the properties in which two renderings differ.
func differing(a, b object) []string {
	var out []string
	for _, p := range sortedKeys(a) {
		if !reflect.DeepEqual(a[p], b[p]) {
			out = append(out, p)
		}
	}
	return out
}

// between returns the events after version from, with as many before it as asked for, up to version upto.
func (l *deltaLog) between(from, upto, replays int) []deltaEvent {
	byVersion := func(e deltaEvent, version int) int {
		if e.at <= version {
			return -1
		}
		return 1
	}
	first, _ := slices.BinarySearchFunc(l.events, from, byVersion)
	end, _ := slices.BinarySearchFunc(l.events, upto, byVersion)
	first = max(0, first-replays)
	return l.events[first:max(first, end)]
}
