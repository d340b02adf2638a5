package scimserver

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/internal/store"
	"github.com/rosterd/rosterd/scimserver/scim"
)

// listing is what is asked for of a list (RFC 7644, section 3.4.2), for each type that it may hold.
type listing struct {
	scim.ListQuery

	kinds []listedType
	count int
	after *store.Position
}

// listedType is one type in a listing.
type listedType struct {
	t          *scim.ResourceType
	users      bool
	projection scim.Projection
	filter     *roster.Filter
	sort       *roster.Sort
	// asked and sortedBy are the filter and what is sorted by in canonical form, for the cursor.
	asked, sortedBy string
}

func (l *listing) projection(users bool) scim.Projection {
	i := slices.IndexFunc(l.kinds, func(k listedType) bool { return k.users == users })
	return l.kinds[i].projection
}

func (l *listing) holds(users bool) bool {
	return slices.ContainsFunc(l.kinds, func(k listedType) bool { return k.users == users })
}

// listUsers is GET /Users.
func (x *exchange) listUsers() error { return x.get(x.users()) }

// listGroups is GET /Groups. A page with members may hold fewer groups than asked for.
func (x *exchange) listGroups() error { return x.get(x.s.groups) }

// listAll is GET on the root (RFC 7644, section 3.4.2.1).
func (x *exchange) listAll() error { return x.get(x.users(), x.s.groups) }

func (x *exchange) get(types ...*scim.ResourceType) error {
	q, err := scim.ParseListQuery(x.query)
	if err != nil {
		return err
	}
	return x.list(q, types)
}

// searchUsers, searchGroups and searchAll are POST to .search (RFC 7644, section 3.4.3).
func (x *exchange) searchUsers() error { return x.search(x.users()) }

func (x *exchange) searchGroups() error { return x.search(x.s.groups) }

func (x *exchange) searchAll() error { return x.search(x.users(), x.s.groups) }

func (x *exchange) search(types ...*scim.ResourceType) error {
	if err := x.readBody(); err != nil {
		return err
	}
	q, err := scim.ParseSearchRequest(x.body)
	if err != nil {
		return err
	}
	return x.list(q, types)
}

// list answers a query.
func (x *exchange) list(q scim.ListQuery, types []*scim.ResourceType) error {
	l, err := x.listing(q, types)
	if err != nil {
		return err
	}
	if !l.holds(false) || !l.projection(false).Wants("members") || x.r.Method == http.MethodHead {
		reader := x.s.store.Scim(x.view())
		page, err := x.find(reader, l)
		if err != nil {
			return err
		}
		return x.sendPage(l, &page, nil)
	}
	return x.s.store.ScimSnapshot(x.r.Context(), x.view(), func(reader *store.ScimReader) error {
		page, err := x.find(reader, l)
		if err != nil {
			return err
		}
		if err := reader.Cut(x.r.Context(), &page, x.s.limits.pageMembers); err != nil {
			return err
		}
		return x.sendPage(l, &page, reader)
	})
}

// listing reads a query for the types that it is about.
func (x *exchange) listing(q scim.ListQuery, types []*scim.ResourceType) (*listing, error) {
	l := &listing{ListQuery: q, count: x.s.limits.page}
	if q.HasCount {
		if q.ByCursor && q.Count > x.s.limits.maxPage {
			return nil, scim.InvalidCount("count must be between 0 and %d", x.s.limits.maxPage)
		}
		l.count = min(q.Count, x.s.limits.maxPage)
	}
	for _, t := range types {
		low := x.lowering(t)
		k := listedType{t: t, users: low.users, projection: scim.ParseProjection(t, q.Attributes, q.ExcludedAttributes)}
		if q.Filter != "" {
			parsed, err := scim.ParseFilter(t, q.Filter)
			if err != nil {
				return nil, err
			}
			f := low.lower(parsed)
			k.filter, k.asked = &f, parsed.String()
		}
		if q.SortBy != "" {
			path, err := scim.ParseSort(t, q.SortBy)
			if err != nil {
				return nil, err
			}
			k.sort, k.sortedBy = low.lowerSort(path, q.Descending), path.String()
		}
		l.kinds = append(l.kinds, k)
	}
	if q.Cursor != "" {
		var err error
		if l.after, err = x.openCursor(l); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// find reads the page.
func (x *exchange) find(reader *store.ScimReader, l *listing) (store.ScimPage, error) {
	ctx, cancel := context.WithTimeout(x.r.Context(), x.s.limits.search)
	defer cancel()
	search := func(k listedType) store.Search {
		return store.Search{Filter: k.filter, Sort: k.sort, After: l.after, Offset: l.StartIndex - 1, Limit: l.count}
	}
	var page store.ScimPage
	var err error
	switch {
	case len(l.kinds) == 2:
		page, err = reader.Both(ctx, search(l.kinds[0]), search(l.kinds[1]))
	case l.kinds[0].users:
		page, err = reader.Members(ctx, search(l.kinds[0]))
	default:
		page, err = reader.Teams(ctx, search(l.kinds[0]))
	}
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) && x.r.Context().Err() == nil {
		return page, scim.TooMany("the query takes more than %v: narrow it down", x.s.limits.search)
	}
	return page, err
}

// groupsOfAll reads the groups of a page's users, if they are wanted.
func (x *exchange) groupsOfAll(l *listing, page *store.ScimPage) (map[string][]store.Ref, error) {
	members := page.Members()
	if len(members) == 0 || !l.projection(true).Wants("groups") {
		return nil, nil
	}
	ids := make([]string, len(members))
	for i, m := range members {
		ids[i] = m.ID
	}
	return x.s.store.TeamsOf(x.r.Context(), x.view(), ids)
}
