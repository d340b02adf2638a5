package client

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// pageSize is how many items one request asks for.
const pageSize = 1000

// ListOptions narrow a list. What a list has no use for it ignores.
type ListOptions struct {
	Limit        int // 0: all
	Search       string
	Status       string
	Connection   string
	Organisation string // for Runs only

	// For Requests only.
	Token, Method, Path, Quirk string
	Since                      string // a time, or how long ago, such as 1h
}

func (o ListOptions) query() url.Values {
	query := url.Values{}
	for name, value := range map[string]string{
		"search": o.Search, "status": o.Status, "connection": o.Connection, "org": o.Organisation,
		"token": o.Token, "method": o.Method, "path": o.Path, "quirk": o.Quirk, "since": o.Since,
	} {
		if value != "" {
			query.Set(name, value)
		}
	}
	return query
}

// Collect reads a list to its end. The slice is never nil.
func Collect[T any](list iter.Seq2[T, error]) ([]T, error) {
	items := []T{}
	for item, err := range list {
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

// Pages yields what GET path lists, page after page, until the end or limit items (0: all) that keep passes (nil: each
// one). An error is the last thing it yields.
func Pages[T any](ctx context.Context, c *Client, path string, query url.Values, limit int, keep func(T) bool) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		query, left := cloned(query), limit
		for {
			size := pageSize
			if limit > 0 && keep == nil {
				size = min(size, left)
			}
			query.Set("limit", strconv.Itoa(size))
			page, err := call[Page[T]](ctx, c, http.MethodGet, path, query, nil)
			if err != nil {
				yield(none, err)
				return
			}
			for _, item := range page.Items {
				if keep != nil && !keep(item) {
					continue
				}
				if !yield(item, nil) {
					return
				}
				if left--; limit > 0 && left == 0 {
					return
				}
			}
			if page.Next == "" {
				return
			}
			if page.Next == query.Get("after") {
				yield(none, errors.New("the list doesn't move on: the server gave the same cursor twice"))
				return
			}
			query.Set("after", page.Next)
		}
	}
}

func cloned(query url.Values) url.Values {
	own := url.Values{}
	for name, values := range query {
		own[name] = append([]string(nil), values...)
	}
	return own
}

// containing returns a filter for lists that the server doesn't search: one of the item's texts holds search, whatever
// the case.
func containing[T any](search string, texts func(T) []string) func(T) bool {
	if search == "" {
		return nil
	}
	wanted := strings.ToLower(search)
	return func(item T) bool {
		for _, text := range texts(item) {
			if strings.Contains(strings.ToLower(text), wanted) {
				return true
			}
		}
		return false
	}
}
