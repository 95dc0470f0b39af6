-- What an API that begins to follow the feed is told of, found without reading what it is not.
CREATE INDEX families_ended ON families (issuer, family) WHERE ended > 0;
CREATE INDEX changes_of_keys ON changes (issuer, number) WHERE kind = 'key_gone';
