package idpsim

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// DeltaExpiry is a way in which Graph says that a delta token has expired.
type DeltaExpiry int

// The two documented ways (page "Use delta query to track changes in Microsoft Graph data").
const (
	DeltaGone              DeltaExpiry = iota // 410 with a Location that holds an empty $deltatoken
	DeltaSyncStateNotFound                    // 400 with the code syncStateNotFound
)

// ExpireDeltaTokens makes every delta and skip token of delta queries given so far expire, as seven days do.
func (t *Tenant) ExpireDeltaTokens(shape DeltaExpiry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.delta.generation++
	t.delta.shape = shape
}

// membersPerEntry is how many members one entry of a group holds; a larger change comes in several.
const membersPerEntry = 20

// membersPerPage is how many members a page of the first round holds.
const membersPerPage = 2000

// deltaToken is what a $deltatoken or $skiptoken of a delta query holds. Query parameters go in the first request and
// are kept in it.
type deltaToken struct {
	Generation int      `json:"g"`
	Entity     string   `json:"e"`
	Fields     []string `json:"f"`
	Members    bool     `json:"m"`
	From       int      `json:"v"` // a version of the directory; -1 begins with everything
	Upto       int      `json:"u"`
	Next       int      `json:"n"`           // events of the round that were given
	Last       string   `json:"l"`           // of the first round: the last object given
	Member     string   `json:"p,omitempty"` // of it, the last member given, where there are more
	Blank      bool     `json:"b"`           // an empty page comes first
}

func (k deltaToken) encode() string {
	raw, err := json.Marshal(k)
	if err != nil { // it holds numbers and texts only
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

func decodeDeltaToken(s string) (deltaToken, bool) {
	var k deltaToken
	raw, err := base64.RawURLEncoding.DecodeString(s)
	return k, err == nil && json.Unmarshal(raw, &k) == nil && k.Next >= 0
}

// userDelta answers the page "user: delta".
func (t *Tenant) userDelta(d *directory, r *request) reply {
	return t.answerDelta(d, r, userEntity())
}

// groupDelta answers the page "group: delta"; changes of members come where members are selected.
func (t *Tenant) groupDelta(d *directory, r *request) reply {
	e := groupEntity()
	e.all, e.standard = append(e.all, "members"), append(e.standard, "members")
	return t.answerDelta(d, r, e)
}

func (t *Tenant) answerDelta(d *directory, r *request, e entity) reply {
	for _, p := range []string{"$top", "$expand", "$orderby", "$filter", "$search"} {
		if r.query.Has(p) {
			return fail(http.StatusBadRequest, "Request_UnsupportedQuery", "The query parameter '"+p+"' is not supported with delta.")
		}
	}
	k, rep := t.deltaRound(d, r, e)
	if rep != nil {
		return *rep
	}
	body := object{"@odata.context": r.base + "/$metadata#" + e.typ + "s(" + strings.Join(k.Fields, ",") + ")"}
	values, next := []object{}, (*deltaToken)(nil)
	if r.query.Has("$skiptoken") || r.query.Get("$deltatoken") != "latest" {
		values, next = t.deltaPage(d, r, k)
	}
	body["value"] = values
	if next != nil {
		body["@odata.nextLink"] = r.deltaLink("$skiptoken", next.encode())
	} else {
		k.From, k.Upto, k.Next, k.Last, k.Member, k.Blank = max(k.From, k.Upto), 0, 0, "", "", false
		body["@odata.deltaLink"] = r.deltaLink("$deltatoken", k.encode())
	}
	return reply{status: http.StatusOK, body: body}
}

// deltaRound returns where the round that a request belongs to goes on.
func (t *Tenant) deltaRound(d *directory, r *request, e entity) (deltaToken, *reply) {
	given, begun := r.query.Get("$skiptoken"), true
	if given == "" {
		given, begun = r.query.Get("$deltatoken"), false
	}
	if given == "" || given == "latest" {
		fields, rep := r.fields(e)
		if rep != nil {
			return deltaToken{}, rep
		}
		k := deltaToken{Generation: t.delta.generation, Entity: e.typ, From: -1, Upto: d.version, Members: slices.Contains(fields, "members")}
		k.Fields = slices.DeleteFunc(slices.Clone(fields), func(f string) bool { return f == "members" || f == "id" })
		if given == "latest" {
			k.From = d.version
		}
		return k, nil
	}
	k, ok := decodeDeltaToken(given)
	if !ok || k.Entity != e.typ {
		rep := fail(http.StatusBadRequest, "Request_BadRequest", "Badly formed token.")
		return deltaToken{}, &rep
	}
	if k.Generation != t.delta.generation || k.From >= 0 && k.From < t.delta.floor {
		rep := t.delta.expired(r)
		return deltaToken{}, &rep
	}
	if !begun {
		k.Upto = d.version
	}
	return k, nil
}

func (l *deltaLog) expired(r *request) reply {
	if l.shape == DeltaSyncStateNotFound {
		return fail(http.StatusBadRequest, "syncStateNotFound",
			"The sync state generation is not found. The delta token is expired and data must be synchronized again.")
	}
	rep := fail(http.StatusGone, "resyncRequired", "Resync required. Replace any local items with the server's version.")
	rep.header = map[string]string{"Location": r.base + r.path + "?$deltatoken="}
	return rep
}

// deltaLink returns this request's own address with a token in place of every other parameter.
func (r *request) deltaLink(parameter, token string) string {
	return r.base + r.path + "?" + url.Values{parameter: {token}}.Encode()
}

// deltaPage renders one page of a round, and returns the token of the next. After the first of several pages an empty
// one is given, which is legal anywhere.
func (t *Tenant) deltaPage(d *directory, r *request, k deltaToken) ([]object, *deltaToken) {
	next := k
	if k.Blank {
		next.Blank = false
		return []object{}, &next
	}
	if k.From < 0 {
		return t.deltaOfAll(d, r, k)
	}
	events := t.delta.between(k.From, k.Upto, t.cfg.DeltaReplays)
	entries, end := k.entries(events, t.cfg.PageSize)
	values := make([]object, 0, len(entries))
	for _, e := range entries {
		values = append(values, k.render(d, e))
	}
	if end == len(events) {
		return values, nil
	}
	next.Next, next.Blank = end, k.Next == 0
	return values, &next
}

// deltaOfAll renders a page of the first round, which lists every object; a group of many members takes several pages.
func (t *Tenant) deltaOfAll(d *directory, r *request, k deltaToken) ([]object, *deltaToken) {
	ids := d.userIDs.ids
	if k.Entity == "group" {
		ids = d.groupIDs.ids
	}
	start, found := slices.BinarySearch(ids, k.Last)
	resumed := found && k.Member != ""
	if found && !resumed {
		start++
	}
	if k.Last != "" {
		start = r.shifted(start, len(ids))
	}
	values, next, room := []object{}, k, membersPerPage
	for i := start; i < len(ids); i++ {
		id, after := ids[i], ""
		if i-start == t.cfg.PageSize || room <= 0 {
			next.Last, next.Member = ids[i-1], ""
			return values, &next
		}
		if resumed && i == start && id == k.Last {
			after = k.Member
		} else {
			values = append(values, k.render(d, deltaEntry{deltaEvent: deltaEvent{group: k.Entity == "group", id: id}}))
		}
		if !k.Members {
			continue
		}
		members, cut := d.membersAfter(id, after, room)
		room -= len(members)
		for chunk := range slices.Chunk(members, membersPerEntry) {
			values = append(values, k.render(d, deltaEntry{deltaEvent: chunk[0], members: chunk}))
		}
		if cut {
			next.Last, next.Member = id, members[len(members)-1].member
			return values, &next
		}
	}
	return values, nil
}

// membersAfter returns up to most members of a group after one, as events, and whether there may be more.
func (d *directory) membersAfter(group, after string, most int) (out []deltaEvent, cut bool) {
	all := d.members[group].all()
	from, found := slices.BinarySearch(all, after)
	if found {
		from++
	}
	for _, m := range all[from:] {
		if d.users[m] == nil && d.groups[m] == nil {
			continue
		}
		if len(out) == most {
			return out, true
		}
		out = append(out, deltaEvent{group: true, id: group, member: m, nested: d.groups[m] != nil, in: true})
	}
	return out, false
}

// deltaEntry is one entry of an answer: an object's event, or some of a group's events about members.
type deltaEntry struct {
	deltaEvent
	members []deltaEvent
}

// entries makes a page's entries of the events that the round's selection raises, and returns where the next page
// begins. One object comes as often as it changed; what one change did to a group's members is in as few entries as they
// fit into.
func (k deltaToken) entries(events []deltaEvent, size int) (out []deltaEntry, next int) {
	for i := min(k.Next, len(events)); i < len(events); i++ {
		e := events[i]
		if !k.raises(e) {
			continue
		}
		if n := len(out) - 1; e.member != "" && n >= 0 && out[n].takes(e) {
			out[n].members = append(out[n].members, e)
			continue
		}
		if len(out) == size {
			return out, i
		}
		entry := deltaEntry{deltaEvent: e}
		if e.member != "" {
			entry.members = []deltaEvent{e}
		}
		out = append(out, entry)
	}
	return out, len(events)
}

// raises reports whether an event is about what the round asks for.
func (k deltaToken) raises(e deltaEvent) bool {
	if e.group != (k.Entity == "group") || e.member != "" && !k.Members {
		return false
	}
	return e.changed == nil || slices.ContainsFunc(e.changed, func(p string) bool { return slices.Contains(k.Fields, p) })
}

func (e deltaEntry) takes(m deltaEvent) bool {
	return len(e.members) > 0 && len(e.members) < membersPerEntry && e.id == m.id && e.at == m.at
}

// render writes an entry as the object is now. Every other one says only what changed, as Graph does where it likes.
func (k deltaToken) render(d *directory, e deltaEntry) object {
	out := object{"id": e.id}
	item := renderUser(d.users[e.id])
	if e.group {
		item = renderGroup(d.groups[e.id])
	}
	if item == nil {
		reason := "deleted"
		if d.deleted[e.id] != nil {
			reason = "changed" // soft-deleted
		}
		out["@removed"] = object{"reason": reason}
		return out
	}
	partial := e.at%2 == 1 && (e.changed != nil || e.member != "")
	for _, f := range k.Fields {
		if !partial || slices.Contains(e.changed, f) {
			out[f] = item[f]
		}
	}
	if len(e.members) > 0 {
		out["members@delta"] = renderMembers(e.members)
	}
	return out
}

func renderMembers(events []deltaEvent) []object {
	out := make([]object, 0, len(events))
	for _, m := range events {
		o := object{"@odata.type": "#microsoft.graph.user", "id": m.member}
		if m.nested {
			o["@odata.type"] = "#microsoft.graph.group"
		}
		if !m.in {
			o["@removed"] = object{"reason": "deleted"}
		}
		out = append(out, o)
	}
	return out
}
