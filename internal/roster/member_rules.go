package roster

import (
	"context"
	"fmt"
	"reflect"
)

// createMember makes a member for a push or a run. A push restores a deleted member instead, if the rule "Coming back"
// says that it is the same person.
func (b *batch) createMember(ctx context.Context, c MemberCreate) (Outcome, error) {
	attrs := c.Attributes.Clone()
	userName := attrs.Get(AttrUserName)
	if Fold(userName) == "" {
		return refuse(Errorf(Invalid, "userName is required"))
	}
	h, err := b.holder(ctx, userName, "")
	if err != nil {
		return Outcome{}, err
	}
	if h == nil {
		h = b.localWithEmail(attrs.Email())
	}
	if h != nil {
		if b.adoptsOnPush(h, attrs.Email()) {
			return b.adoptByPush(h, attrs, c.Active), nil
		}
		return refuse(b.clash(h, userName))
	}
	if b.cause.By == ByPush {
		if s := b.comingBack(userName, attrs.Get(AttrExternalID)); s != nil {
			return b.restoreByCreate(s, attrs, c.Active), nil
		}
	}
	s := b.newMember(c.ID, attrs, SourceSCIM, RoleMember)
	if !c.Active {
		s.now.Status, s.now.OffBy = Deactivated, b.cause.By
	}
	s.now.Connection = b.cause.Connection
	if c.Link != nil {
		l := *c.Link
		l.TargetID = s.now.ID
		if refusal := b.linkClash(&l); refusal != nil {
			delete(b.members, s.now.ID)
			return refuse(refusal)
		}
		b.putLink(l)
	}
	b.changed(s, Member{}, "member.created", b.cause.Reason)
	return memberDone(s, true), nil
}

func memberDone(s *memberState, created bool) Outcome {
	return Outcome{Result: Applied, ID: s.now.ID, Created: created, Member: &s.now}
}

func memberSame(s *memberState) Outcome {
	return Outcome{Result: Unchanged, ID: s.now.ID, Member: &s.now}
}

// newMember adds a pending member to the working set, with an id of its own where none is given.
func (b *batch) newMember(id string, attrs Attributes, source Source, role Role) *memberState {
	if id == "" {
		id = NewID()
	}
	m := Member{
		ID: id, Org: b.org, Attributes: attrs, Status: Pending, Prior: Pending, Source: source, Role: role,
		CreatedAt: b.tx.Now(), UserNameBy: b.cause.By,
	}
	if attrs.Get(AttrExternalID) != "" {
		m.ExternalIDBy = b.cause.By
	}
	s := &memberState{now: m}
	b.members[m.ID] = s
	return s
}

// clash explains a userName that is taken: by a local member with the way out, by another connection's person with the
// owner in the operator's detail.
func (b *batch) clash(h *memberState, userName string) *Error {
	m := &h.now
	if m.Source == SourceLocal {
		return Errorf(Conflict, "%s is a local member here, who was invited and not provisioned: adopt them with "+
			"`rosterd members adopt %s --connection NAME`, or set the connection's policy adopt_local: by_email",
			m.UserName(), m.UserName())
	}
	e := Errorf(Conflict, "userName %q is taken", userName)
	if m.Connection != "" {
		e.Detail = fmt.Sprintf("userName %q belongs to member %s, owned by connection %s",
			userName, m.ID, b.connectionName(m.Connection))
	} else {
		e.Detail = fmt.Sprintf("userName %q belongs to member %s, unclaimed", userName, m.ID)
	}
	return e
}

// localWithEmail returns the local member who has that email.
func (b *batch) localWithEmail(email string) *memberState {
	key := Fold(email)
	if key == "" {
		return nil
	}
	for _, id := range b.byEmail[key] {
		s := b.members[id]
		if s.now.Source == SourceLocal && s.now.Status != Deleted && Fold(s.now.Email()) == key {
			return s
		}
	}
	return nil
}

// adoptsOnPush reports whether the policy adopt_local: by_email lets a push of that email take a local member.
func (b *batch) adoptsOnPush(h *memberState, email string) bool {
	c := b.connections[b.cause.Connection]
	return h.now.Source == SourceLocal && h.now.Role != RoleOwner && c != nil && c.AdoptLocal &&
		email != "" && Fold(h.now.Email()) == Fold(email)
}

func (b *batch) adoptByPush(s *memberState, attrs Attributes, active bool) Outcome {
	before := s.now
	b.adopt(s, b.cause.Connection)
	s.now.Attributes = attrs
	s.now.UserNameBy, s.now.ExternalIDBy = b.cause.By, b.cause.By
	if !active && s.now.Status.Live() {
		b.switchOff(s, Deactivated)
	}
	b.changed(s, before, "member.adopted", "policy adopt_local: by_email")
	return memberDone(s, true)
}

func (b *batch) adopt(s *memberState, connection string) {
	s.now.Source, s.now.Connection = SourceSCIM, connection
}

// comingBack returns the deleted member whom a SCIM create with this userName and externalId brings back: the same
// folded userName, and the same non-empty externalId, or none on either side and never linked.
func (b *batch) comingBack(userName, externalID string) *memberState {
	key := Fold(userName)
	var best *memberState
	for _, id := range b.byUserName[key] {
		s := b.members[id]
		if s.now.Status != Deleted || Fold(s.now.UserName()) != key {
			continue
		}
		if !b.sees(TypeMember, id, s.now.Connection, s.now.Source) {
			continue
		}
		theirs := s.now.ExternalID()
		same := theirs != "" && theirs == externalID
		neither := theirs == "" && externalID == "" && len(b.linksOf[string(TypeMember)+id]) == 0
		if (same || neither) && (best == nil || best.now.UpdatedAt.Before(s.now.UpdatedAt)) {
			best = s
		}
	}
	return best
}

func (b *batch) restoreByCreate(s *memberState, attrs Attributes, active bool) Outcome {
	before := s.now
	s.now.Attributes = attrs
	s.now.UserNameBy, s.now.ExternalIDBy = b.cause.By, b.cause.By
	b.switchOn(s)
	if !active {
		b.switchOff(s, Deactivated)
	}
	if s.now.Connection == "" {
		s.now.Connection = b.cause.Connection
	}
	b.changed(s, before, "member.restored", "created again with the same userName and externalId")
	return memberDone(s, true)
}

// switchOff takes a member's access. This is the one place where deactivation and deletion happen: the record and the
// memberships stay; a membership counts only while its member is pending or active, so suspending needs no row.
func (b *batch) switchOff(s *memberState, to Status) {
	if s.now.Status.Live() {
		s.now.Prior = s.now.Status
	}
	s.now.Status, s.now.OffBy = to, b.cause.By
}

// switchOn gives a member back the status from before.
func (b *batch) switchOn(s *memberState) {
	s.now.Status, s.now.OffBy = s.now.Prior, ""
	if !s.now.Status.Live() {
		s.now.Status = Pending
	}
}

// lastOwner reports whether switching the member off would leave the organisation without an owner who can act.
func (b *batch) lastOwner(ctx context.Context, m *Member) (bool, error) {
	if m.Role != RoleOwner || !m.Status.Live() {
		return false, nil
	}
	if _, err := b.tx.Organisation(ctx, b.org, true); err != nil {
		return false, err
	}
	n, err := b.tx.LiveOwners(ctx, b.org)
	if err != nil {
		return false, err
	}
	for _, s := range b.members { // what the batch has changed and not yet written
		was := s.was != nil && s.was.Role == RoleOwner && s.was.Status.Live()
		is := s.now.Role == RoleOwner && s.now.Status.Live()
		switch {
		case was && !is:
			n--
		case is && !was:
			n++
		}
	}
	return n <= 1, nil
}

func lastOwnerError(m *Member) *Error {
	return Errorf(Forbidden, "%s is the organisation's last owner and is never deprovisioned: make somebody else an owner first", m.UserName())
}

// passOn gives a member to another connection that still has the person in scope, when the owner loses them. It reports
// whether it did; nobody is switched off then.
func (b *batch) passOn(s *memberState) bool {
	for _, l := range b.linksTo(TypeMember, s.now.ID) {
		if l.Connection == s.now.Connection || l.State != LinkOn || b.connections[l.Connection] == nil {
			continue
		}
		before := s.now
		s.now.Connection = l.Connection
		if own := b.linkFrom(before.Connection, TypeMember, s.now.ID); own != nil {
			off := *own
			off.State = LinkOff
			b.putLink(off)
		}
		reason := fmt.Sprintf("connection %s lost them, connection %s still has them in scope",
			b.connectionName(before.Connection), b.connectionName(l.Connection))
		b.changed(s, before, "member.passed", reason)
		return true
	}
	return false
}

// pushed finds the member that a push means, as far as its token can see it.
func (b *batch) pushed(id string, version int64) (*memberState, *Error) {
	s := b.members[id]
	if s == nil || s.now.Status == Deleted || !b.sees(TypeMember, id, s.now.Connection, s.now.Source) {
		return nil, Errorf(NotFound, "no user with id %q", id)
	}
	if version != 0 && s.was != nil && s.was.Version != version {
		return nil, Errorf(Precondition, "the user has changed: its version is %d, not %d", s.was.Version, version)
	}
	return s, nil
}

// foreign reports whether another connection owns the object and the push's is merely linked to it.
func (b *batch) foreign(owner string) bool {
	return b.cause.Connection != "" && owner != "" && owner != b.cause.Connection
}

func (b *batch) editMember(ctx context.Context, c MemberEdit) (Outcome, error) {
	s, refusal := b.pushed(c.ID, c.Version)
	if refusal != nil {
		return refuse(refusal)
	}
	attrs, active, err := c.Edit(s.now)
	if err != nil {
		if e, ok := err.(*Error); ok { //nolint:errorlint // an Error made by Edit itself is a refusal
			return refuse(e)
		}
		return Outcome{}, err
	}
	if b.foreign(s.now.Connection) {
		return b.noteForeign(s, active), nil
	}
	before := s.now
	before.Attributes = s.now.Attributes
	if refusal, err := b.rewrite(ctx, s, attrs); refusal != nil || err != nil {
		return Outcome{Result: Refused, Err: refusal}, err
	}
	event := "member.updated"
	switch {
	case active == nil:
	case !*active && s.now.Status.Live():
		if last, err := b.lastOwner(ctx, &s.now); err != nil || last {
			s.now = before
			return Outcome{Result: Refused, Err: lastOwnerError(&before)}, err
		}
		if b.passOn(s) {
			return memberDone(s, false), nil
		}
		b.switchOff(s, Deactivated)
		event = "member.deactivated"
	case *active && s.now.Status == Deactivated:
		b.switchOn(s)
		event = "member.reactivated"
	}
	return b.settle(s, before, event), nil
}

// settle claims an unclaimed member for the push's connection and tells what changed, if anything did.
func (b *batch) settle(s *memberState, before Member, event string) Outcome {
	claimed := s.now.Connection == "" && b.cause.Connection != ""
	same := before.Status == s.now.Status && reflect.DeepEqual(before.Attributes, s.now.Attributes)
	if !same {
		b.changed(s, before, event, b.cause.Reason)
	}
	if claimed {
		before := s.now
		s.now.Connection = b.cause.Connection
		b.changed(s, before, "member.claimed", "first write by a token of the connection")
	}
	if same && !claimed {
		b.touch(TypeMember, s.now.ID)
		return memberSame(s)
	}
	return memberDone(s, false)
}

// noteForeign takes a push about another connection's person: it changes only the state of this connection's link.
func (b *batch) noteForeign(s *memberState, active *bool) Outcome {
	if l := b.linkFrom(b.cause.Connection, TypeMember, s.now.ID); l != nil && active != nil {
		next := *l
		next.State = LinkOff
		if *active {
			next.State = LinkOn
		}
		b.putLink(next)
	}
	return memberSame(s)
}

// rewrite sets a member's attributes and notes who wrote the match keys.
func (b *batch) rewrite(ctx context.Context, s *memberState, attrs Attributes) (*Error, error) {
	if attrs == nil {
		return nil, nil
	}
	was, now := s.now.UserName(), attrs.Get(AttrUserName)
	if Fold(now) == "" {
		return Errorf(Invalid, "userName is required"), nil
	}
	if Fold(was) != Fold(now) {
		h, err := b.holder(ctx, now, s.now.ID)
		if err != nil {
			return nil, err
		}
		if h != nil {
			return b.clash(h, now), nil
		}
	}
	next := s.now
	next.Attributes = attrs.Clone()
	if was != now {
		next.UserNameBy = b.cause.By
	}
	if s.now.ExternalID() != attrs.Get(AttrExternalID) {
		next.ExternalIDBy = b.cause.By
	}
	s.now = next
	return nil, nil
}

func (b *batch) deleteMember(ctx context.Context, c MemberDelete) (Outcome, error) {
	s, refusal := b.pushed(c.ID, c.Version)
	if refusal != nil {
		return refuse(refusal)
	}
	if b.foreign(s.now.Connection) {
		if l := b.linkFrom(b.cause.Connection, TypeMember, c.ID); l != nil {
			next := *l
			next.State = LinkGone
			b.putLink(next)
		}
		return memberSame(s), nil
	}
	if last, err := b.lastOwner(ctx, &s.now); err != nil || last {
		return Outcome{Result: Refused, Err: lastOwnerError(&s.now)}, err
	}
	if s.now.Status.Live() && b.passOn(s) {
		return memberDone(s, false), nil
	}
	before := s.now
	b.switchOff(s, Deleted)
	if s.now.Connection == "" {
		s.now.Connection = b.cause.Connection
	}
	b.changed(s, before, "member.deleted", b.cause.Reason)
	return memberDone(s, false), nil
}
