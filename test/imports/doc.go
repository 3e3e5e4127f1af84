// Package imports tests that the repository's imports point one way, so that its layout stays the
// architecture: main → stages → pkg/ → proto/. Inside a package the same holds of its files.
//
// The rules are the tables in rules.go. A change that needs a new arrow adds it there, in sight of
// whoever reviews it. What is read belongs to another module, of which go test does not notice that it
// changed: run it with -count=1, as make test does.
package imports
