/** Of these the token endpoint knows the first ones, as many as it was told to. */
export const audienceOf = (number) => `https://service-${number}-abc123-ew.a.run.app`
