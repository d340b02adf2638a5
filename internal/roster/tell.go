package roster

import (
	"crypto/rand"
	"encoding/json"
	"maps"
	"reflect"
)

// tell adds one change event. Only fields that differ are kept, so that folding an object's events rebuilds it; a field
// that went away is null in after.
func (b *batch) tell(subject Subject, typ, reason string, before, after map[string]any) {
	was, is := map[string]any{}, map[string]any{}
	for k, v := range after {
		if old, ok := before[k]; !ok || !reflect.DeepEqual(old, v) {
			is[k] = v
			if ok {
				was[k] = old
			}
		}
	}
	for k, v := range before {
		if _, ok := after[k]; !ok {
			was[k], is[k] = v, nil
		}
	}
	e := Event{
		ID: NewID(), Org: b.org, Seq: b.seq, Time: b.tx.Now(), Type: typ, Actor: b.cause.Actor, Subject: subject,
		RequestID: b.cause.RequestID, Reason: reason, Salt: salt(), After: encode(is),
	}
	if len(before) > 0 {
		e.Before = encode(was)
	}
	if b.cause.Run != nil {
		e.RunID = b.cause.Run.ID
	}
	b.events = append(b.events, e)
}

func encode(v map[string]any) json.RawMessage {
	out, err := json.Marshal(v)
	if err != nil { // decoded JSON encodes
		return json.RawMessage("{}")
	}
	return out
}

func salt() []byte {
	s := make([]byte, 16)
	_, _ = rand.Read(s)
	return s
}

// memberDoc is what events keep of a member: the SCIM attributes, and beside them what is ours.
func (b *batch) memberDoc(m *Member) map[string]any {
	if m.ID == "" {
		return nil
	}
	doc := maps.Clone(map[string]any(m.Attributes))
	doc["status"], doc["source"], doc["role"] = string(m.Status), string(m.Source), string(m.Role)
	doc["connection"] = nil
	if m.Connection != "" {
		doc["connection"] = b.connectionName(m.Connection)
	}
	if m.OffBy != "" {
		doc["off_by"] = string(m.OffBy)
	}
	return doc
}

func (b *batch) tellMember(before, now *Member, typ, reason string) {
	subject := Subject{Type: TypeMember, ID: now.ID, Name: now.UserName()}
	if l := b.linkFrom(b.cause.Connection, TypeMember, now.ID); l != nil {
		subject.ObjectID = l.ObjectID
	}
	b.tell(subject, typ, reason, b.memberDoc(before), b.memberDoc(now))
}

func (b *batch) teamDoc(t *Team) map[string]any {
	if t.ID == "" {
		return nil
	}
	doc := map[string]any{
		"displayName": t.DisplayName, "externalId": t.ExternalID, "status": string(t.Status), "source": string(t.Source),
		"connection": nil,
	}
	if t.Connection != "" {
		doc["connection"] = b.connectionName(t.Connection)
	}
	return doc
}

func (b *batch) tellTeam(before, now *Team, typ, reason string) {
	subject := Subject{Type: TypeTeam, ID: now.ID, Name: now.DisplayName}
	if l := b.linkFrom(b.cause.Connection, TypeTeam, now.ID); l != nil {
		subject.ObjectID = l.ObjectID
	}
	b.tell(subject, typ, reason, b.teamDoc(before), b.teamDoc(now))
}

func (b *batch) tellMembership(t *teamState, m *MemberRef, present bool) {
	subject := Subject{Type: TypeMembership, ID: t.now.ID + "/" + m.ID, Name: m.UserName + " in " + t.now.DisplayName}
	doc := map[string]any{"team": t.now.ID, "member": m.ID, "present": present}
	if present {
		b.tell(subject, "membership.added", b.cause.Reason, nil, doc)
		return
	}
	b.tell(subject, "membership.removed", b.cause.Reason, map[string]any{"team": t.now.ID, "member": m.ID, "present": true}, doc)
}

// tellNesting tells that a group came into a team or left it. The events have names of their own, as nobody gets or loses
// anything by them.
func (b *batch) tellNesting(t *teamState, group *Team, present bool) {
	subject := Subject{Type: TypeMembership, ID: t.now.ID + "/" + group.ID, Name: group.DisplayName + " in " + t.now.DisplayName}
	doc := map[string]any{"team": t.now.ID, "group": group.ID, "present": present}
	if present {
		b.tell(subject, "membership.group_added", b.cause.Reason, nil, doc)
		return
	}
	b.tell(subject, "membership.group_removed", b.cause.Reason, map[string]any{"team": t.now.ID, "group": group.ID, "present": true}, doc)
}
