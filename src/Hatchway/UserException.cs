namespace Hatchway;

/// <summary>An error that the user can fix. The message is one line that says what is wrong, the value, and what to do.</summary>
internal sealed class UserException(string message) : Exception(message);
