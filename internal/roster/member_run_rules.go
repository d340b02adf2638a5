package roster

import (
	"context"
	"reflect"
)

// patchMember carries out a run's repair of one member.
func (b *batch) patchMember(ctx context.Context, c MemberPatch) (Outcome, error) {
	s := b.members[c.ID]
	if s == nil || s.was == nil {
		return stale("the member")
	}
	if s.was.AsOf() != c.Version {
		return stale("the member")
	}
	if s.now.Connection != b.cause.Connection {
		return refuse(Errorf(Forbidden, "the member belongs to %s now", b.ownerText(s.now.Connection)))
	}
	before, event := s.now, "member.updated"
	switch c.Status {
	case ActDeactivate:
		if !s.now.Status.Live() {
			return memberSame(s), nil
		}
		if last, err := b.lastOwner(ctx, &s.now); err != nil || last {
			return Outcome{Result: Refused, Err: lastOwnerError(&s.now)}, err
		}
		if b.passOn(s) {
			return memberDone(s, false), nil
		}
		b.switchOff(s, Deactivated)
		event = "member.deactivated"
	case ActReactivate, ActRestore:
		if s.now.Status.Live() || s.now.OffBy == ByOperator {
			return stale("the member's status")
		}
		event = "member.reactivated"
		if s.now.Status == Deleted {
			event = "member.restored"
			if h, err := b.holder(ctx, s.now.UserName(), s.now.ID); err != nil || h != nil {
				return Outcome{Result: Refused, Err: Errorf(Conflict, "userName %q is taken by now", s.now.UserName())}, err
			}
		}
		b.switchOn(s)
	}
	if len(c.Values) > 0 {
		attrs := s.now.Attributes.Clone()
		for path, v := range c.Values {
			attrs.Set(path, v)
		}
		if refusal, err := b.rewrite(ctx, s, attrs); refusal != nil || err != nil {
			s.now = before
			return Outcome{Result: Refused, Err: refusal}, err
		}
	}
	if c.Link != nil {
		b.putLink(*c.Link)
	}
	if before.Status == s.now.Status && reflect.DeepEqual(before.Attributes, s.now.Attributes) {
		return memberSame(s), nil
	}
	b.changed(s, before, event, b.cause.Reason)
	return memberDone(s, false), nil
}

func (b *batch) passMember(c MemberPass) (Outcome, error) {
	s := b.members[c.ID]
	if s == nil || s.was == nil || s.was.AsOf() != c.Version || s.now.Connection != b.cause.Connection {
		return stale("the member")
	}
	if !b.passOn(s) {
		return memberSame(s), nil
	}
	return memberDone(s, false), nil
}

func (b *batch) ownerText(connection string) string {
	if connection == "" {
		return "no connection"
	}
	return "connection " + b.connectionName(connection)
}
