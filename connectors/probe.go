package connectors

import (
	"context"
	"errors"
	"slices"
	"strings"
)

// Probe runs what a Tester asks, one after another. Its error names everything that is to be granted; an error that is
// not a missing permission ends it.
func Probe(ctx context.Context, probes ...func(context.Context) error) error {
	var refused []*Error
	for _, probe := range probes {
		err := probe(ctx)
		var e *Error
		switch {
		case err == nil:
		case errors.As(err, &e) && e.Fault == MissingPermission:
			refused = append(refused, e)
		default:
			return err
		}
	}
	return joined(refused)
}

// joined makes one error of several missing permissions.
func joined(refused []*Error) error {
	switch len(refused) {
	case 0:
		return nil
	case 1:
		return refused[0]
	}
	all := *refused[0]
	var messages, fixes []string
	for _, e := range refused {
		messages = append(messages, e.Message)
		if !slices.Contains(fixes, e.Fix) {
			fixes = append(fixes, e.Fix)
		}
	}
	all.Message, all.Fix = strings.Join(messages, ". "), strings.Join(fixes, " ")
	return &all
}
