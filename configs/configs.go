// Package configs holds the annotated sample of the configuration file.
package configs

import _ "embed"

// Sample is rosterd.yaml: every setting, with its default and what it means.
//
//go:embed rosterd.yaml
var Sample string
