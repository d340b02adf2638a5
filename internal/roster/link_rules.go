package roster

import (
	"context"
	"fmt"
)

// linkClash refuses a link whose target is linked to another object of the same connection: links are unique at both
// ends within a connection.
func (b *batch) linkClash(l *Link) *Error {
	if other := b.linkFrom(l.Connection, l.Type, l.TargetID); other != nil && other.ObjectID != l.ObjectID {
		return Errorf(Conflict, "%s %s is linked to another object of the connection already: %s", l.Type, l.TargetID, other.ObjectID)
	}
	return nil
}

// linkedMeanwhile reports whether the object of a team that is to be made has a link: a plan that makes one did not know of
// it, such as of a team that a push made while the plan was written.
func (b *batch) linkedMeanwhile(l *Link) bool {
	if l == nil {
		return false
	}
	s := b.links[linkKey{l.Connection, l.Type, l.ObjectID}]
	return s != nil && s.now != nil
}

// setLink makes, moves or refreshes a link, and claims an unclaimed target when asked.
func (b *batch) setLink(c LinkSet) (Outcome, error) {
	l := c.Link
	if refusal := b.linkClash(&l); refusal != nil {
		return refuse(refusal)
	}
	subject := Subject{Type: l.Type, ID: l.TargetID, ObjectID: l.ObjectID}
	switch l.Type {
	case TypeMember:
		s := b.members[l.TargetID]
		if s == nil {
			return stale("the member")
		}
		subject.Name = s.now.UserName()
		if c.Claim && s.now.Connection == "" && s.now.Source == SourceSCIM {
			before := s.now
			s.now.Connection = l.Connection
			b.claimedQuietly(&s.touched)
			b.tellMember(&before, &s.now, "member.claimed", c.Reason)
		}
	case TypeTeam:
		s := b.teams[l.TargetID]
		if s == nil {
			return stale("the team")
		}
		subject.Name = s.now.DisplayName
		if c.Claim && s.now.Connection == "" && s.now.Source == SourceSCIM {
			before := s.now
			s.now.Connection = l.Connection
			b.claimedQuietly(&s.touched)
			b.tellTeam(&before, &s.now, "team.claimed", c.Reason)
		}
	}
	was := b.links[linkKey{l.Connection, l.Type, l.ObjectID}]
	b.putLink(l)
	if l.Rule == RuleOperator && c.Event == "made" {
		b.rows.DropRefusals = append(b.rows.DropRefusals, LinkRefusal{l.Connection, l.Type, l.ObjectID, l.TargetID})
	}
	if c.Event != "" && (was == nil || was.was == nil || was.was.TargetID != l.TargetID) {
		after := map[string]any{"connection": b.connectionName(l.Connection), "object_id": l.ObjectID, "rule": l.Rule}
		var before map[string]any
		if was != nil && was.was != nil {
			before = map[string]any{"target": was.was.TargetID}
			after["target"] = l.TargetID
		}
		b.tell(subject, string(l.Type)+".linked", c.Reason, before, after)
	}
	return Outcome{Result: Applied, ID: l.TargetID}, nil
}

// claimedQuietly marks an object to be written for a claim by a run. Ownership is no part of the resource, so neither
// version nor sequence moves, and what the run planned for the object still holds.
func (b *batch) claimedQuietly(touched *bool) { *touched = true }

// dropLink removes a link.
func (b *batch) dropLink(c LinkDrop) (Outcome, error) {
	s := b.links[linkKey{c.Connection, c.Type, c.ObjectID}]
	if s == nil || s.now == nil {
		return Outcome{Result: Unchanged}, nil
	}
	subject := Subject{Type: c.Type, ID: s.now.TargetID, ObjectID: c.ObjectID}
	b.tell(subject, string(c.Type)+".unlinked", b.cause.Reason,
		map[string]any{"connection": b.connectionName(c.Connection), "object_id": c.ObjectID}, map[string]any{})
	if c.Refuse {
		b.rows.Refusals = append(b.rows.Refusals, LinkRefusal{c.Connection, c.Type, c.ObjectID, s.now.TargetID})
	}
	s.now = nil
	return Outcome{Result: Applied}, nil
}

// adoptMember hands a local member to a connection; id, teams and keys are kept.
func (b *batch) adoptMember(c MemberAdopt) (Outcome, error) {
	s := b.members[c.ID]
	conn := b.connections[c.Connection]
	switch {
	case s == nil || s.now.Status == Deleted:
		return refuse(Errorf(NotFound, "no member %q", c.ID))
	case conn == nil:
		return refuse(Errorf(NotFound, "no such connection"))
	case s.now.Source != SourceLocal:
		return refuse(Errorf(Conflict, "%s is not a local member", s.now.UserName()))
	case c.ByPolicy && s.now.Role == RoleOwner:
		return refuse(Errorf(Forbidden, "%s is an owner: owners are adopted one by one", s.now.UserName()))
	}
	before := s.now
	b.adopt(s, c.Connection)
	reason := fmt.Sprintf("adopted by connection %s", conn.Name)
	b.changed(s, before, "member.adopted", reason)
	return memberDone(s, false), nil
}

// inviteMember makes a local member, pending.
func (b *batch) inviteMember(ctx context.Context, c MemberInvite) (Outcome, error) {
	h, err := b.holder(ctx, c.Email, "")
	if err != nil {
		return Outcome{}, err
	}
	if h == nil {
		for _, id := range b.byEmail[Fold(c.Email)] {
			if s := b.members[id]; s.now.Status != Deleted && Fold(s.now.Email()) == Fold(c.Email) {
				h = s
			}
		}
	}
	if h != nil {
		return refuse(Errorf(Conflict, "%s is a member already (%s)", c.Email, h.now.Status))
	}
	attrs := Attributes{AttrUserName: c.Email}
	attrs.Set(AttrWorkEmail, c.Email)
	s := b.newMember("", attrs, SourceLocal, c.Role)
	b.changed(s, Member{}, "member.invited", b.cause.Reason)
	return memberDone(s, true), nil
}

// setMemberStatus is an operator's deactivation or reactivation. The cause is kept: no run undoes it.
func (b *batch) setMemberStatus(ctx context.Context, c MemberSetStatus) (Outcome, error) {
	s := b.members[c.ID]
	if s == nil || s.now.Status == Deleted {
		return refuse(Errorf(NotFound, "no member %q", c.ID))
	}
	before, event := s.now, "member.deactivated"
	switch {
	case c.Active && s.now.Status == Deactivated:
		b.switchOn(s)
		event = "member.reactivated"
	case !c.Active && s.now.Status.Live():
		if last, err := b.lastOwner(ctx, &s.now); err != nil || last {
			return Outcome{Result: Refused, Err: lastOwnerError(&s.now)}, err
		}
		b.switchOff(s, Deactivated)
	case !c.Active && s.now.OffBy != ByOperator:
		s.now.OffBy = ByOperator // an operator's word now: it sticks against runs
	default:
		return memberSame(s), nil
	}
	b.changed(s, before, event, b.cause.Reason)
	return memberDone(s, false), nil
}
