package roster

import (
	"context"
	"fmt"
	"slices"
)

// createTeam makes a team, or restores a deleted one with the same non-empty externalId.
func (b *batch) createTeam(ctx context.Context, c TeamCreate) (Outcome, error) {
	if Fold(c.DisplayName) == "" {
		return refuse(Errorf(Invalid, "displayName is required"))
	}
	if h := b.teamHolder(c.ExternalID, ""); h != nil {
		return refuse(b.teamClash(h))
	}
	if b.linkedMeanwhile(c.Link) {
		return stale("the group's link")
	}
	members, err := b.resolve(ctx, c.Members)
	if err != nil {
		return Outcome{}, err
	}
	s, event := b.deletedTeam(c.ExternalID, c.Link), "team.restored"
	var before Team
	if s != nil {
		before = s.now
		if refusal, err := b.takes(ctx, s, &members, false); refusal != nil || err != nil {
			return Outcome{Result: Refused, Err: refusal}, err
		}
		s.now.Status, s.now.DisplayName = Active, c.DisplayName
		if s.now.Connection == "" {
			s.now.Connection = b.cause.Connection
		}
	} else {
		event = "team.created"
		s = &teamState{now: Team{
			ID: NewID(), Org: b.org, DisplayName: c.DisplayName, ExternalID: c.ExternalID, Status: Active,
			Source: SourceSCIM, Connection: b.cause.Connection, CreatedAt: b.tx.Now(),
		}}
		if c.Local {
			s.now.Source, s.now.Connection = SourceLocal, ""
		}
		if c.ExternalID != "" {
			s.now.ExternalIDBy = b.cause.By
		}
		if refusal, err := b.takes(ctx, s, &members, true); refusal != nil || err != nil {
			return Outcome{Result: Refused, Err: refusal}, err
		}
		b.teams[s.now.ID] = s
		b.wholeTeams[s.now.ID] = true
	}
	if c.Link != nil {
		l := *c.Link
		l.TargetID = s.now.ID
		if refusal := b.linkClash(&l); refusal != nil {
			if s.was == nil {
				delete(b.teams, s.now.ID)
			} else {
				s.now = before
			}
			return refuse(refusal)
		}
		b.putLink(l)
	}
	b.changedTeam(s, before, event, b.cause.Reason)
	if _, err := b.addMembers(ctx, s, &members); err != nil {
		return Outcome{}, err
	}
	out := Outcome{Result: Applied, ID: s.now.ID, Created: true, Team: &s.now}
	out.named(&members, true)
	return out, nil
}

// named tells whom a push's list of members came to; whole says that it was the whole list.
func (o *Outcome) named(n *named, whole bool) {
	o.Remembered, o.Waiting = n.unknown, n.deleted()
	if whole {
		o.TeamMembers, o.TeamGroups = counting(n.members), n.groups
	}
}

// teamHolder returns the active team that has a non-empty externalId, other than the one given.
func (b *batch) teamHolder(externalID, except string) *teamState {
	if externalID == "" {
		return nil
	}
	for id, s := range b.teams {
		if id != except && s.now.ExternalID == externalID && s.now.Status == Active {
			return s
		}
	}
	return nil
}

func (b *batch) teamClash(h *teamState) *Error {
	e := Errorf(Conflict, "externalId %q is taken by another group", h.now.ExternalID)
	e.Detail = fmt.Sprintf("externalId %q belongs to team %s (%s), owned by %s",
		h.now.ExternalID, h.now.ID, h.now.DisplayName, b.ownerText(h.now.Connection))
	return e
}

// deletedTeam returns the deleted team that an externalId brings back, if the cause's connection may see it. A run brings
// back none that is linked to another object than its own.
func (b *batch) deletedTeam(externalID string, l *Link) *teamState {
	if externalID == "" {
		return nil
	}
	var best *teamState
	for id, s := range b.teams {
		if s.now.ExternalID != externalID || s.now.Status != Deleted {
			continue
		}
		if !b.sees(TypeTeam, id, s.now.Connection, s.now.Source) || b.foreign(s.now.Connection) {
			continue
		}
		if l != nil {
			if other := b.linkFrom(l.Connection, TypeTeam, id); other != nil && other.ObjectID != l.ObjectID {
				continue
			}
		}
		if best == nil || best.now.UpdatedAt.Before(s.now.UpdatedAt) {
			best = s
		}
	}
	return best
}

func (b *batch) changedTeam(s *teamState, before Team, event, reason string) {
	b.grown(s)
	s.now.Seq = b.seq
	if b.cause.By == ByPush {
		s.now.PushedSeq, s.now.PushedAt = b.seq, b.tx.Now()
	}
	b.tellTeam(&before, &s.now, event, reason)
}

func (b *batch) pushedTeam(id string) (*teamState, *Error) {
	s := b.teams[id]
	if s == nil || s.now.Status == Deleted || !b.sees(TypeTeam, id, s.now.Connection, s.now.Source) {
		return nil, Errorf(NotFound, "no group with id %q", id)
	}
	return s, nil
}

func (b *batch) editTeam(ctx context.Context, c TeamEdit) (Outcome, error) {
	s, out := b.teamToChange(c.ID, c.Version)
	if out != nil {
		return *out, nil
	}
	if b.cause.By == ByPush && b.foreign(s.now.Connection) {
		return refuse(&Error{Code: Forbidden, Message: "the group belongs to another connection",
			Detail: "owned by " + b.ownerText(s.now.Connection)})
	}
	members, err := b.resolve(ctx, append(append([]string(nil), c.Set...), c.Add...))
	if err != nil {
		return Outcome{}, err
	}
	if refusal, err := b.takes(ctx, s, &members, c.Replace); refusal != nil || err != nil {
		return Outcome{Result: Refused, Err: refusal}, err
	}
	before := s.now
	if refusal := b.renameTeam(s, c.DisplayName, c.ExternalID); refusal != nil {
		s.now = before
		return refuse(refusal)
	}
	if c.Link != nil {
		b.putLink(*c.Link)
	}
	renamed := before.DisplayName != s.now.DisplayName || before.ExternalID != s.now.ExternalID
	if renamed {
		b.changedTeam(s, before, "team.updated", b.cause.Reason)
	}
	moved, err := b.editMembers(ctx, s, c, &members)
	if err != nil {
		return Outcome{}, err
	}
	claimed := b.claimTeam(s)
	done := Outcome{Result: Applied, ID: s.now.ID, Team: &s.now}
	done.named(&members, c.Replace)
	if !renamed && !moved && !claimed {
		done.Result = Unchanged
		b.touch(TypeTeam, s.now.ID)
	}
	return done, nil
}

// teamToChange finds the team of a push (by visibility and version) or of a run (by ownership and AsOf).
func (b *batch) teamToChange(id string, version int64) (*teamState, *Outcome) {
	if b.cause.By == ByRun {
		s := b.teams[id]
		if s == nil || s.was == nil || (version != 0 && s.was.AsOf() != version) {
			out, _ := stale("the team")
			return nil, &out
		}
		if s.now.Connection != b.cause.Connection {
			out, _ := refuse(Errorf(Forbidden, "the team belongs to %s now", b.ownerText(s.now.Connection)))
			return nil, &out
		}
		return s, nil
	}
	s, refusal := b.pushedTeam(id)
	if refusal == nil && version != 0 && s.was != nil && s.was.Version != version {
		refusal = Errorf(Precondition, "the group has changed: its version is %d, not %d", s.was.Version, version)
	}
	if refusal != nil {
		return nil, &Outcome{Result: Refused, Err: refusal}
	}
	return s, nil
}

func (b *batch) renameTeam(s *teamState, name, externalID *string) *Error {
	if name != nil {
		if Fold(*name) == "" {
			return Errorf(Invalid, "displayName is required")
		}
		s.now.DisplayName = *name
	}
	if externalID != nil && *externalID != s.now.ExternalID {
		if h := b.teamHolder(*externalID, s.now.ID); h != nil {
			return b.teamClash(h)
		}
		s.now.ExternalID, s.now.ExternalIDBy = *externalID, b.cause.By
	}
	return nil
}

// editMembers makes a team's members what an edit says. It reports whether anything that is seen changed: what is only
// remembered isn't.
func (b *batch) editMembers(ctx context.Context, s *teamState, c TeamEdit, n *named) (bool, error) {
	if b.cause.By == ByPush && (c.Replace || len(c.Add)+len(c.Remove) > 0) {
		s.now.PushedAt = b.tx.Now()
	}
	gone := c.Remove
	moved := false
	if c.Replace {
		if b.cause.By == ByPush {
			s.now.Listings, s.now.ListedSeq, s.counted = s.now.Listings+1, b.seq, true
		}
		gone = b.unlisted(s, n)
		if err := b.forget(ctx, s, n.unknown, true); err != nil {
			return false, err
		}
		if s.now.Nested > 0 {
			did, err := b.keepNested(ctx, s, n.groups)
			if err != nil {
				return false, err
			}
			moved = did
		}
	}
	did, err := b.removeMembers(ctx, s, gone)
	if err != nil {
		return false, err
	}
	added, err := b.addMembers(ctx, s, n)
	return moved || did || added, err
}

// unlisted returns who is in the team and not in the list that a push gave, in order of their ids.
func (b *batch) unlisted(s *teamState, n *named) []string {
	keep := make(map[string]bool, len(n.members))
	for _, m := range n.members {
		keep[m.ID] = true
	}
	var out []string
	for p, ms := range b.memberships {
		if p.TeamID == s.now.ID && ms.now.Present && !keep[p.MemberID] {
			out = append(out, p.MemberID)
		}
	}
	slices.Sort(out)
	return out
}

// addMembers puts members and groups into a team, and remembers those who aren't known.
func (b *batch) addMembers(ctx context.Context, s *teamState, n *named) (bool, error) {
	moved := false
	for _, g := range n.groups {
		did, err := b.setNested(ctx, s, g, true)
		if err != nil {
			return false, err
		}
		moved = moved || did
	}
	if err := b.loadPairs(ctx, s.now.ID, n.ids()); err != nil {
		return false, err
	}
	var names []string // what they may have been remembered by
	for _, m := range n.members {
		moved = b.setPresent(s, m, true) || moved
		names = append(names, m.ID, m.ExternalID)
	}
	if err := b.forget(ctx, s, names, false); err != nil {
		return false, err
	}
	return moved, b.remember(ctx, s, n.unknown)
}

// removeMembers takes members and groups out of a team, and drops what was remembered of them: what a push says later
// wins. Only whom the cause sees is taken out.
func (b *batch) removeMembers(ctx context.Context, s *teamState, values []string) (bool, error) {
	if len(values) == 0 {
		return false, nil
	}
	n, err := b.resolve(ctx, values)
	if err != nil {
		return false, err
	}
	if err := b.loadPairs(ctx, s.now.ID, n.ids()); err != nil {
		return false, err
	}
	moved, names := false, slices.Clone(values)
	for _, m := range n.members {
		moved = b.setPresent(s, m, false) || moved
		names = append(names, m.ID, m.ExternalID)
	}
	var groups []string
	for _, g := range n.groups {
		groups = append(groups, g.ID)
	}
	did, err := b.dropNested(ctx, s, append(groups, n.unknown...)) // a deleted group is unknown, and yet in it
	if err != nil {
		return false, err
	}
	if err != nil {
		return false, err
	}
	return moved || did, b.forget(ctx, s, names, false)
}

// claimTeam takes an unclaimed team, and with it its memberships, for the connection of a bound token.
func (b *batch) claimTeam(s *teamState) bool {
	if b.cause.By != ByPush || s.now.Connection != "" || b.cause.Connection == "" {
		return false
	}
	before := s.now
	s.now.Connection = b.cause.Connection
	b.changedTeam(s, before, "team.claimed", "first write by a token of the connection")
	return true
}

func (b *batch) deleteTeam(c TeamDelete) (Outcome, error) {
	s, out := b.teamToChange(c.ID, c.Version)
	if out != nil {
		return *out, nil
	}
	if b.cause.By == ByPush && b.foreign(s.now.Connection) {
		return refuse(&Error{Code: Forbidden, Message: "the group belongs to another connection",
			Detail: "owned by " + b.ownerText(s.now.Connection)})
	}
	if s.now.Status == Deleted {
		return Outcome{Result: Unchanged, ID: s.now.ID, Team: &s.now}, nil
	}
	b.claimTeam(s)
	before := s.now
	s.now.Status = Deleted
	if c.Link != nil {
		b.putLink(*c.Link)
	}
	b.changedTeam(s, before, "team.deleted", b.cause.Reason)
	return Outcome{Result: Applied, ID: s.now.ID, Team: &s.now}, nil
}

func (b *batch) restoreTeam(c TeamRestore) (Outcome, error) {
	s, out := b.teamToChange(c.ID, c.Version)
	if out != nil {
		return *out, nil
	}
	if s.now.Status != Deleted {
		return Outcome{Result: Unchanged, ID: s.now.ID, Team: &s.now}, nil
	}
	if h := b.teamHolder(s.now.ExternalID, s.now.ID); h != nil {
		return refuse(b.teamClash(h))
	}
	before := s.now
	s.now.Status = Active
	name, ext := optional(c.Values, AttrDisplayName), optional(c.Values, AttrExternalID)
	if refusal := b.renameTeam(s, name, ext); refusal != nil {
		s.now = before
		return refuse(refusal)
	}
	if c.Link != nil {
		b.putLink(*c.Link)
	}
	b.changedTeam(s, before, "team.restored", b.cause.Reason)
	return Outcome{Result: Applied, ID: s.now.ID, Team: &s.now}, nil
}

func optional(values map[string]string, key string) *string {
	if v, ok := values[key]; ok && v != "" {
		return &v
	}
	return nil
}
