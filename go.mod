module github.com/weir-lb/weir

go 1.26
