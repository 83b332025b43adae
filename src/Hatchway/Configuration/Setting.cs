namespace Hatchway.Configuration;

/// <summary>One variable of the configuration.</summary>
/// <param name="Name">The full dotted name.</param>
/// <param name="Value">The value as given: references to other variables are not replaced yet.</param>
/// <param name="Origin">What the user typed for it, as <c>-m 2G</c>, for messages; null for a default.</param>
internal sealed record Setting(string Name, string Value, string? Origin);
