package main

// target is a package to change, and the packages whose tests hold what it does, the quickest first.
type target struct {
	dir   string
	tests []string
}

// targets are the packages in which a mistake costs a count or lets somebody in.
var targets = []target{
	{"agent/internal/detect", []string{"agent/internal/detect"}},
	{"agent/internal/detect/connection", []string{"agent/internal/detect/connection", "agent/internal/detect"}},
	{"agent/internal/detect/episode", []string{"agent/internal/detect/episode", "agent/internal/detect"}},
	{"agent/internal/detect/login", []string{"agent/internal/detect/login", "agent/internal/detect"}},
	{"agent/internal/header", []string{"agent/internal/header", "agent/internal/detect"}},
	{"agent/internal/rule", []string{"agent/internal/rule", "agent/internal/detect"}},
	{"agent/internal/spool", []string{"agent/internal/spool"}},
	{"display/internal/history", []string{"display/internal/history"}},
	{"display/internal/receive", []string{"display/internal/receive", "display/internal/receive/grpc"}},
	{"display/internal/receive/grpc", []string{"display/internal/receive/grpc"}},
	{"pkg/wire", []string{"pkg/wire"}},
	{"pkg/pairing", []string{"pkg/pairing"}},
}
