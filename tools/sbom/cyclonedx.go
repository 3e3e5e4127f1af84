package main

import (
	"io"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

func writeCycloneDX(out io.Writer, b bill) error {
	program := cdx.Component{
		BOMRef: b.program, Type: cdx.ComponentTypeApplication, Name: b.program, Version: b.version,
		PackageURL: "pkg:golang/" + b.module + "@" + b.version,
		Licenses:   &cdx.Licenses{{License: &cdx.License{ID: "MIT"}}},
	}
	var components []cdx.Component
	var needs []string
	for _, p := range b.parts {
		component := cdx.Component{BOMRef: p.purl(), Type: cdx.ComponentTypeLibrary, Name: p.name, Version: p.version, PackageURL: p.purl()}
		if p.sum != "" {
			component.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: p.sum}}
		}
		components, needs = append(components, component), append(needs, p.purl())
	}
	bom := cdx.NewBOM()
	bom.Metadata = &cdx.Metadata{Timestamp: b.date.Format(time.RFC3339), Component: &program}
	bom.Components = &components
	bom.Dependencies = &[]cdx.Dependency{{Ref: b.program, Dependencies: &needs}}
	encoder := cdx.NewBOMEncoder(out, cdx.BOMFileFormatJSON)
	encoder.SetPretty(true)
	return encoder.Encode(bom)
}
