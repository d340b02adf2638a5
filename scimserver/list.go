package scimserver

import (
	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/scimserver/scim"
)

// page is what a GET of a list asks for (RFC 7644, section 3.4.2).
type page struct {
	scim.ListQuery

	filter     *roster.Filter
	check      scim.Filter // set when what the store finds by filter is more than what the client asked for
	projection scim.Projection
	count      int
}

func (x *exchange) page(t *scim.ResourceType) (page, error) {
	q, err := scim.ParseListQuery(x.query)
	if err != nil {
		return page{}, err
	}
	p := page{ListQuery: q, projection: scim.ParseProjection(t, q.Attributes, q.ExcludedAttributes), count: x.s.limits.page}
	if q.HasCount {
		p.count = min(q.Count, x.s.limits.maxPage)
	}
	if q.Filter == "" {
		return p, nil
	}
	parsed, err := scim.ParseFilter(t, q.Filter)
	if err != nil {
		return page{}, err
	}
	low := lowering{users: t == x.s.users}
	filter, err := low.lower(parsed, false)
	if err != nil {
		return page{}, err
	}
	p.filter = &filter
	if low.wide {
		p.check = parsed
	}
	return p, nil
}

func (p *page) offset() int { return p.StartIndex - 1 }

// listUsers is GET /Users.
func (x *exchange) listUsers() error {
	p, err := x.page(x.s.users)
	if err != nil {
		return err
	}
	members, total, err := x.findMembers(&p)
	if err != nil {
		return err
	}
	var groups map[string][]store.Ref
	if p.projection.Wants("groups") && len(members) > 0 {
		ids := make([]string, len(members))
		for i := range members {
			ids[i] = members[i].ID
		}
		if groups, err = x.s.store.TeamsOf(x.r.Context(), x.view(), ids); err != nil {
			return err
		}
	}
	out := make([]scim.Resource, len(members))
	for i := range members {
		out[i] = p.projection.Apply(x.userOf(&members[i], groups[members[i].ID]))
	}
	return x.sendJSON(scim.NewListResponse(out, total, p.StartIndex))
}

// findMembers reads the page's members and how many there are in all. Where the store's answer is too wide, it is read
// whole, within bounds, and checked one by one.
func (x *exchange) findMembers(p *page) ([]roster.Member, int, error) {
	if p.check == nil {
		return x.s.store.ScimMembers(x.r.Context(), x.view(), p.filter, p.offset(), p.count)
	}
	most := x.s.limits.candidates
	candidates, _, err := x.s.store.ScimMembers(x.r.Context(), x.view(), p.filter, 0, most+1)
	if err != nil {
		return nil, 0, err
	}
	if len(candidates) > most {
		return nil, 0, scim.TooMany("the filter fits more than %d users: narrow it down", most)
	}
	matching := candidates[:0]
	for i := range candidates {
		if scim.Match(p.check, x.userOf(&candidates[i], nil)) {
			matching = append(matching, candidates[i])
		}
	}
	total := len(matching)
	from := min(p.offset(), total)
	return matching[from:min(from+p.count, total)], total, nil
}
