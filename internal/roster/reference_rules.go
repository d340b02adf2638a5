package roster

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"
)

// referenceState is a remembered value before and after the batch, and who came, if they did.
type referenceState struct {
	was, now *Reference
	came     string // id of a member or team
}

type referenceKey struct{ team, value string }

func (b *batch) loadReferences(ctx context.Context, sel ReferenceSelect) error {
	found, err := b.tx.References(ctx, b.org, sel)
	if err != nil {
		return err
	}
	for i := range found {
		r := &found[i]
		if k := (referenceKey{r.TeamID, r.Value}); b.references[k] == nil {
			b.references[k] = &referenceState{was: r, now: r}
		}
	}
	return nil
}

// takes refuses a list of members that a team can't take: itself, or unknown ones that are more or longer than it can
// remember. Nothing is changed by then. whole says that the list is to be the whole of it.
func (b *batch) takes(ctx context.Context, t *teamState, n *named, whole bool) (*Error, error) {
	for _, g := range n.groups {
		if g.ID == t.now.ID {
			return Errorf(Invalid, "members: a group can't be a member of itself"), nil
		}
	}
	if i := slices.IndexFunc(n.unknown, func(v string) bool { return len(v) > MaxReference }); i >= 0 {
		return Errorf(Invalid, "members: a value of %d bytes is no id of a member", len(n.unknown[i])), nil
	}
	more := len(n.unknown)
	if !whole && t.now.Pending > 0 && more > 0 {
		if err := b.loadReferences(ctx, ReferenceSelect{Team: t.now.ID, Values: n.unknown}); err != nil {
			return nil, err
		}
		more += int(t.now.Pending)
		for _, v := range n.unknown {
			if s := b.references[referenceKey{t.now.ID, v}]; s != nil && s.now != nil {
				more--
			}
		}
	}
	if more > MaxReferences {
		return Errorf(TooLarge, "the group would have more than %d members who are not known here: push them first", MaxReferences), nil
	}
	return nil, nil
}

// remember keeps values for a team that nobody answers to.
func (b *batch) remember(ctx context.Context, t *teamState, values []string) error {
	if len(values) == 0 {
		return nil
	}
	if t.now.Pending > 0 {
		if err := b.loadReferences(ctx, ReferenceSelect{Team: t.now.ID, Values: values}); err != nil {
			return err
		}
	}
	for _, v := range values {
		k := referenceKey{t.now.ID, v}
		s := b.references[k]
		if s == nil {
			s = &referenceState{}
			b.references[k] = s
		}
		if s.now != nil {
			continue
		}
		s.now = &Reference{
			Org: b.org, TeamID: t.now.ID, Value: v, Since: b.tx.Now(), Connection: b.cause.Connection,
			TokenID: b.cause.Actor.ID, TokenName: b.cause.Actor.Name, RequestID: b.cause.RequestID,
		}
		t.now.Pending++
		t.counted = true
	}
	return nil
}

// forget drops remembered values of a team: those given, or, where keep is set, all but those.
func (b *batch) forget(ctx context.Context, t *teamState, values []string, keep bool) error {
	if t.now.Pending == 0 || len(values) == 0 && !keep {
		return nil
	}
	sel := ReferenceSelect{Team: t.now.ID}
	if !keep {
		sel.Values = distinct(values)
	}
	if err := b.loadReferences(ctx, sel); err != nil {
		return err
	}
	given := make(map[string]bool, len(values))
	for _, v := range values {
		given[v] = true
	}
	for k, s := range b.references {
		if k.team == t.now.ID && s.now != nil && given[k.value] != keep {
			b.dropReference(t, s)
		}
	}
	return nil
}

func (b *batch) dropReference(t *teamState, s *referenceState) {
	s.now = nil
	t.now.Pending--
	t.counted = true
}

// recall puts whoever came with this batch into the teams that named them before: who is new here, or back, or came to be
// seen by the connection that named them, or took the externalId that it named.
func (b *batch) recall(ctx context.Context, outs []Outcome) error {
	arrivals := b.arrivals()
	if err := b.recallTeams(ctx); err != nil || len(arrivals) == 0 {
		return err
	}
	values := slices.Sorted(maps.Keys(arrivals))
	if err := b.lock(ctx, values, nil); err != nil {
		return err
	}
	waiting, err := b.tx.References(ctx, b.org, ReferenceSelect{Values: values})
	if err != nil || len(waiting) == 0 {
		return err
	}
	// The teams first, then what waits for them again: a push may have changed its mind in between.
	var teams []string
	for _, r := range waiting {
		teams = append(teams, r.TeamID)
	}
	if err := b.loadTeams(ctx, TeamSelect{IDs: distinct(teams)}); err != nil {
		return err
	}
	if err := b.loadReferences(ctx, ReferenceSelect{Values: values}); err != nil {
		return err
	}
	if err := b.loadRefs(ctx, RefSelect{ExternalIDs: values}); err != nil {
		return err
	}
	byExternal := b.refsByExternalID()
	for _, k := range b.sortedReferences() {
		s, t := b.references[k], b.teams[k.team]
		a, came := arrivals[k.value]
		if !came || s.now == nil || t == nil || t.now.Status != Active {
			continue
		}
		if a.member != nil && a.member.ID != k.value && len(byExternal[k.value]) != 1 {
			continue // several have that externalId: it names nobody
		}
		if err := b.fulfil(ctx, t, s, a); err != nil {
			return err
		}
	}
	for i := range outs {
		if m := outs[i].Member; m != nil {
			outs[i].Joined = b.joined[m.ID]
		}
	}
	return nil
}

// recallTeams looks, for teams that came back with this batch, whether somebody came while they were away.
func (b *batch) recallTeams(ctx context.Context) error {
	for _, id := range slices.Sorted(maps.Keys(b.teams)) {
		t := b.teams[id]
		if t.was == nil || t.was.Status != Deleted || t.now.Status != Active || t.now.Pending == 0 {
			continue
		}
		if err := b.loadReferences(ctx, ReferenceSelect{Team: id}); err != nil {
			return err
		}
		var values []string
		for k, s := range b.references {
			if k.team == id && s.now != nil {
				values = append(values, k.value)
			}
		}
		slices.Sort(values)
		found, err := b.whom(ctx, values)
		if err != nil {
			return err
		}
		for _, v := range values {
			if w, known := found[v]; known {
				if err := b.fulfil(ctx, t, b.references[referenceKey{id, v}], w); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// arrivals returns who came with this batch, by the values that may have named them: what has a new id of ours can only
// have been named by its externalId.
func (b *batch) arrivals() map[string]meant {
	out, linked := map[string]meant{}, map[string]bool{}
	for _, s := range b.links {
		if s.now != nil && (s.was == nil || s.was.TargetID != s.now.TargetID) {
			linked[s.now.TargetID] = true
		}
	}
	for id, s := range b.teams {
		if s.now.Status == Active && s.now.Source == SourceSCIM && (linked[id] || s.touched && s.came()) {
			out[s.now.ExternalID] = meant{team: &s.now}
			if s.was != nil {
				out[id] = meant{team: &s.now}
			}
		}
	}
	for id, s := range b.members { // after the teams: of one externalId the member is meant
		if s.now.Status != Deleted && s.now.Source == SourceSCIM && (linked[id] || s.touched && s.came()) {
			ref := s.now.Ref()
			out[ref.ExternalID] = meant{member: &ref}
			if s.was != nil {
				out[id] = meant{member: &ref}
			}
		}
	}
	delete(out, "")
	return out
}

// came reports whether the batch made the member, brought them back, or changed by what or by whom they are known.
func (s *memberState) came() bool {
	return s.was == nil || s.was.Status == Deleted || s.was.Source != s.now.Source || s.was.Connection != s.now.Connection ||
		s.was.ExternalID() != s.now.ExternalID()
}

func (s *teamState) came() bool {
	return s.was == nil || s.was.Status == Deleted || s.was.Connection != s.now.Connection || s.was.ExternalID != s.now.ExternalID
}

// fulfil makes a remembered value what it was meant to be, if the connection that named it sees who came.
func (b *batch) fulfil(ctx context.Context, t *teamState, s *referenceState, a meant) error {
	r := s.now
	typ, id, owner, source := a.whose()
	if owner != "" && r.Connection != "" && owner != r.Connection && !b.linksLoaded[typ][id] {
		if err := b.loadLinksOf(ctx, typ, []string{id}); err != nil {
			return err
		}
	}
	if id == t.now.ID || !b.seenBy(r.Connection, typ, id, owner, source) {
		return nil
	}
	reason := b.cause.Reason
	b.cause.Reason = fmt.Sprintf("named as %q by a push at %s (request %s), before they were known here",
		r.Value, r.Since.UTC().Format(time.RFC3339), r.RequestID)
	defer func() { b.cause.Reason = reason }()
	b.dropReference(t, s)
	s.came = id
	if a.team != nil {
		_, err := b.setNested(ctx, t, a.team, true)
		return err
	}
	if err := b.loadPairs(ctx, t.now.ID, []string{id}); err != nil {
		return err
	}
	if b.setPresent(t, a.member, true) {
		b.memberships[Pair{t.now.ID, id}].now.PushedAt = r.Since
		b.joined[id] = append(b.joined[id], &t.now)
	}
	return nil
}

// tellReference tells that a value is awaited in a team, or no longer: because who is meant came, which the membership's
// own event tells as well, or because a push took it back.
func (b *batch) tellReference(s *referenceState) {
	r, doc := s.now, map[string]any{}
	if r == nil {
		r = s.was
	}
	t := b.teams[r.TeamID]
	if t == nil { // a reference is changed with its team only
		return
	}
	subject := Subject{Type: TypeMembership, ID: r.TeamID + "/" + r.Value, Name: r.Value + " in " + t.now.DisplayName}
	doc["team"], doc["value"], doc["awaited"] = r.TeamID, r.Value, s.now != nil
	switch {
	case s.now != nil:
		b.tell(subject, "membership.awaited", b.cause.Reason, nil, doc)
		return
	case s.came != "":
		doc["came"] = s.came
		b.tell(subject, "membership.arrived", b.cause.Reason, map[string]any{"team": r.TeamID, "value": r.Value, "awaited": true}, doc)
	default:
		b.tell(subject, "membership.forgotten", b.cause.Reason, map[string]any{"team": r.TeamID, "value": r.Value, "awaited": true}, doc)
	}
}

func (b *batch) sortedReferences() []referenceKey {
	return slices.SortedFunc(maps.Keys(b.references), func(x, y referenceKey) int {
		return slices.Compare([]string{x.team, x.value}, []string{y.team, y.value})
	})
}
